# Needs Python 3.11 (with venv), git and make; nothing else, no system package.
# `make help` lists the targets; each sets up what it needs.
PYTHON ?= python3.11
VENV := .venv
# With the newest of everything:
# make demo VENV=.venv-newest CONSTRAINTS=constraints-newest.txt
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
PREP := $(BIN)/python -m data_prep
RUN := $(BIN)/python -m gastric_keras.run
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SOURCES := gastric_keras data_prep tests benchmarks

.PHONY: help setup demo format lint quick test coverage bench docs faults clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' \
		| awk -F '\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

setup: $(VENV)/.stamp  ## install the project with everything for development

$(VENV)/.stamp: setup.cfg pyproject.toml $(CONSTRAINTS)
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed as '$(PYTHON)'; name another one with make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

demo: setup  ## the whole method on the embedded phantom
	rm -rf demo tensorboard_logs/demo-one-stage tensorboard_logs/demo-two-stages
	$(PREP) phantom --config configs/data_prep/demo_phantom.yaml --out demo/images
	$(PREP) tissue --config configs/data_prep/demo_tissue.yaml --out demo/records/tissue
	$(PREP) nuclei --config configs/data_prep/demo_nuclei.yaml --out demo/records/nuclei
	$(PREP) target --config configs/data_prep/demo_target.yaml --out demo/records/target
	$(PREP) check demo/records/tissue demo/records/nuclei demo/records/target
	$(RUN) --stage all --config configs/demo.yaml --set name=demo-one-stage --set mid=null
	$(RUN) --stage all --config configs/demo.yaml
	$(RUN) --stage compare --out demo/compare \
		--runs tensorboard_logs/demo-one-stage tensorboard_logs/demo-two-stages
	@echo "report to open:   tensorboard_logs/demo-two-stages/report.html"
	@echo "model to serve:   tensorboard_logs/demo-two-stages/export"

format: setup  ## put code and imports into the project's style
	$(BIN)/black --quiet $(SOURCES)
	$(BIN)/isort --quiet $(SOURCES)

lint: setup  ## style, types, imports: what CI checks
	$(BIN)/black --check --quiet $(SOURCES)
	$(BIN)/isort --check --quiet $(SOURCES)
	$(BIN)/flake8 $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

# A file is one worker's, which trains for all tests in it. In the order of collection:
# tests/conftest.py puts the longest files first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: lint  ## lint and every test that is not slow, in a minute
	$(PYTEST) -m 'not slow'

test: lint docs  ## lint, docs and every test: what CI runs
	$(PYTEST)

# Apart: on Python 3.11, tracing makes the tests half as slow again.
coverage: setup  ## every test, and the lines and branches that none reaches
	$(PYTEST) --cov --cov-report=term

# PyTorch is there to be measured against, nothing else needs it. 27 minutes on two idle
# cores, and 5 more for the demo; benchmarks.speed.large takes longer and is started by
# itself.
SPEED := $(BIN)/python -m benchmarks.speed
# Looked for when they are needed: the region is the demo's.
SLIDES = $(or $(wildcard ../shared/data/slides/*.svs),$(firstword $(wildcard demo/images/regions/*.png)))
bench: setup tensorboard_logs/demo-two-stages/report/done.json  ## speed against peers and limits, one table at the end
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[bench]'
	rm -rf build/bench
	$(SPEED).nuclei
	$(SPEED).start
	$(SPEED).steps --turns 3
	$(SPEED).pipeline demo/records/target
	$(SPEED).jpeg demo/records/target
	$(SPEED).frozen demo/records/target
	$(SPEED).serving demo/records/target --turns 3 --seconds 0.5
	$(SPEED).workers demo/records/target
	$(SPEED).engine nuclei --config configs/data_prep/demo_nuclei.yaml --runner none
	$(SPEED).leak_search --patches 12500,50000
	$(SPEED).predict tensorboard_logs/demo-two-stages/export demo/images/target --side 64
	$(SPEED).heatmap tensorboard_logs/demo-two-stages/export --side 64 --repeat 8 $(SLIDES)
	$(SPEED).native $(SLIDES)
	-$(SPEED).gpu demo/records/target
	$(SPEED).table

docs: setup  ## the documentation site, in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site to open:     build/site/index.html"

# Bad input by the thousand, fuzzing, kills. What fails is kept in faults/, to be
# replayed: python -m tests.faults --replay faults/CASE
faults: setup tensorboard_logs/demo-two-stages/report/done.json  ## bad input, fuzzing, kills: hours
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[faults]' \
		|| echo "atheris does not install here: the parsers are not fuzzed"
	$(BIN)/python -m tests.faults --cases 12000
	$(BIN)/python -m tests.faults.fuzzing --seconds 120
	for set in tissue nuclei target; do \
		$(BIN)/python -m tests.kills.sets $$set --kills 40 \
			--config configs/data_prep/demo_$$set.yaml || exit 1; done
	$(BIN)/python -m tests.kills.commands --kills 16 \
		tensorboard_logs/demo-two-stages tensorboard_logs/demo-one-stage
	$(BIN)/python -m tests.kills.training --config configs/demo.yaml --kills 40

tensorboard_logs/demo-two-stages/report/done.json: | setup
	$(MAKE) demo

clean:  ## remove what was installed and made
	rm -rf $(VENV) build *.egg-info .mypy_cache .import_linter_cache .coverage
	rm -rf demo faults tensorboard_logs/demo-one-stage tensorboard_logs/demo-two-stages
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
