# Training on NVIDIA GPUs, with the tested versions; CUDA comes from the wheels.
#   docker build -f docs/serving/train-gpu.Dockerfile -t gastric-keras:gpu .
#   docker run --rm --gpus all -u "$(id -u):$(id -g)" -v "$PWD:/work" gastric-keras:gpu \
#       python -m gastric_keras.run --stage all --config configs/vgg16.yaml
# The host needs an NVIDIA driver and the NVIDIA Container Toolkit.
# Linted with hadolint; not built or run yet.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HOME=/tmp

WORKDIR /opt/gastric_keras
COPY setup.cfg pyproject.toml constraints.txt MANIFEST.in README.md LICENSE ./
COPY gastric_keras gastric_keras
COPY data_prep data_prep
COPY configs configs
RUN pip install -c constraints.txt '.[gpu,slides]'

# Mount your folder with configs/, records/ and tensorboard_logs/ here.
WORKDIR /work
CMD ["python", "-m", "gastric_keras.run", "--stage", "doctor"]
