# One exported model inside an image of TF Serving, to be shipped as a whole.
#   docker build -f docs/serving/serve.Dockerfile -t gastric-serving \
#       tensorboard_logs/vgg16-tissue/export
#   docker run --rm -p 127.0.0.1:8501:8501 gastric-serving
# The build context is the folder of versions, so that nothing else gets into the image.
# compose.yaml mounts that folder instead and needs no build.
# Linted with hadolint; not built or run yet.
FROM tensorflow/serving:2.17.0

ENV MODEL_NAME=gastric
COPY . /models/gastric
