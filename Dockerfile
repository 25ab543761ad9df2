# Rarebird in an image; the steps are those of the Makefile.
#   docker build --target cpu -t rarebird .
#   docker build --target cuda -t rarebird:cuda .
#   docker run --rm -v "$PWD/runs:/home/rarebird/runs" rarebird train --env catch --steps 100000
#   docker run --rm --gpus all -v "$PWD/runs:/home/rarebird/runs" rarebird:cuda train --env catch
# The folder runs must be writable by user 1000, or give docker run --user.
FROM python:3.11-slim-bookworm AS cpu
# Make, and what MuJoCo, ViZDoom and OpenCV load. They follow the base image, which is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends make libgl1 libegl1 libglib2.0-0 libgomp1 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /rarebird
COPY Makefile requirements.lock ./
RUN make .venv/locked
COPY . .
RUN make .venv/installed \
  && useradd --uid 1000 --create-home rarebird
ENV PATH="/rarebird/.venv/bin:${PATH}" MUJOCO_GL=egl
USER 1000
WORKDIR /home/rarebird
ENTRYPOINT ["rarebird"]
CMD ["--help"]

FROM cpu AS cuda
USER 0
WORKDIR /rarebird
RUN make .venv/cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
USER 1000
WORKDIR /home/rarebird
