# The pipeline's environment: the packages of requirements.lock, and what they need of the system.
# docs/serving.md has the commands, and a base with CUDA.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# MindSpore needs libgomp; DVC's experiments are git commits.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1 make \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.lock /opt/ssd/
RUN python -m pip install --no-cache-dir --use-pep517 --no-deps --require-hashes -r /opt/ssd/requirements.lock

# The repository is mounted here and belongs to a user of the host.
WORKDIR /project
RUN git config --system --add safe.directory /project
ENV HOME=/tmp
