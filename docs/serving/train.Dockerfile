# Training on the CPU, with the tested versions.
#   docker build -f docs/serving/train.Dockerfile -t gastric-keras .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" gastric-keras \
#       python -m gastric_keras.run --stage all --config configs/alexnet.yaml
# Linted with hadolint; not built or run yet.
FROM python:3.11-slim

# OpenCV (headless) and openslide-bin ship as wheels: no system package is needed.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    HOME=/tmp

WORKDIR /opt/gastric_keras
COPY setup.cfg pyproject.toml constraints.txt MANIFEST.in README.md LICENSE ./
COPY gastric_keras gastric_keras
COPY data_prep data_prep
COPY configs configs
RUN pip install -c constraints.txt '.[slides]'

# Mount your folder with configs/, records/ and tensorboard_logs/ here.
WORKDIR /work
CMD ["python", "-m", "gastric_keras.run", "--stage", "doctor"]
