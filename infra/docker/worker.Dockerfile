# The GPU worker, with the model models/tiny; it also draws on CPUs:
#   docker build --file infra/docker/worker.Dockerfile --tag luminary-worker .
#   docker build --file infra/docker/worker.Dockerfile --tag luminary-worker:cuda --build-arg VARIANT=cuda .
# docs/containers.md describes all images and their build arguments.
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

FROM ${BASE_IMAGE} AS build
ARG SOURCE_DATE_EPOCH=315532800
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG VARIANT=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY pyproject.toml constraints.txt ./
COPY infra/docker infra/docker
RUN infra/docker/install.sh packages worker
COPY . .
RUN infra/docker/install.sh project && mkdir /opt/app/models && cp -r models/tiny /opt/app/models/
# the code of large models for this machine's CPU, which the first start would compile otherwise
RUN cd /opt/app && PYTHONPATH=/opt/app NUMBA_CACHE_DIR=/opt/app/compiled \
    /opt/luminary/bin/python -m infra.containers.compile_ahead models/tiny \
    && cd /source && infra/docker/install.sh finish

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG VARIANT=cpu
LABEL org.opencontainers.image.title="luminary-worker" \
      org.opencontainers.image.description="Luminary: the GPU worker (${VARIANT})" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      io.luminary.sbom="/opt/app/sbom.cdx.json"
RUN echo 'luminary:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'luminary:x:10001:' >>/etc/group \
    && install -d -o 10001 -g 10001 /compiled
COPY --from=build /opt/luminary /opt/luminary
COPY --from=build /opt/app /opt/app
# NUMBA_CACHE_DIR must be writable, as /tmp always is: the worker copies the compiled code there when it starts.
# A volume at /compiled with NUMBA_CACHE_DIR=/compiled also keeps what is compiled for other CPUs.
ENV PATH=/opt/luminary/bin:/opt/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/compiled \
    LUMINARY_COMPILED=/opt/app/compiled \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    WORKER_HEALTH_HOST=0.0.0.0 \
    WORKER_HEALTH_PORT=8002
WORKDIR /opt/app
USER 10001:10001
EXPOSE 8002
# a large model takes minutes to load
HEALTHCHECK --interval=10s --timeout=6s --start-period=600s --retries=3 \
    CMD ["python", "-m", "infra.containers.ready", "8002"]
CMD ["python", "-m", "services.worker"]
