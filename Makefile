# make demo: set up everything, then the whole method on the embedded phantom.
# make test: set up everything, then lint and test.
# Needs Python 3.11 (with venv), git and make; nothing else, no system package.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint bench clean setup

setup: $(VENV)/.stamp

$(VENV)/.stamp: setup.cfg pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed as '$(PYTHON)'; name another one with make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/python -m benchmarks.demo

lint: setup
	$(BIN)/black --check --quiet gastric_keras data_prep tests benchmarks
	$(BIN)/isort --check --quiet gastric_keras data_prep tests benchmarks
	$(BIN)/flake8 gastric_keras data_prep tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest --cov --cov-report=term

bench: setup
	$(BIN)/python -m benchmarks.nuclei

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .import_linter_cache .coverage demo tensorboard_logs/*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
