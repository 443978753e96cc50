# The tokenizer service, with the image tokenizer of models/tiny:
#   docker build --file infra/docker/tokenizer.Dockerfile --tag luminary-tokenizer .
#   docker build --file infra/docker/tokenizer.Dockerfile --tag luminary-tokenizer:cuda --build-arg VARIANT=cuda .
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
RUN infra/docker/install.sh packages tokenizer
COPY . .
RUN infra/docker/install.sh project \
    && mkdir -p /opt/app/models/tiny && cp -r models/tiny/movqgan /opt/app/models/tiny/ \
    && infra/docker/install.sh finish

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG VARIANT=cpu
LABEL org.opencontainers.image.title="luminary-tokenizer" \
      org.opencontainers.image.description="Luminary: the tokenizer service (${VARIANT})" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      io.luminary.sbom="/opt/app/sbom.cdx.json"
RUN echo 'luminary:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'luminary:x:10001:' >>/etc/group
COPY --from=build /opt/luminary /opt/luminary
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/luminary/bin:/opt/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TOKENIZER_HOST=0.0.0.0
WORKDIR /opt/app
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=6s --start-period=600s --retries=3 \
    CMD ["python", "-m", "infra.containers.ready", "8001"]
CMD ["python", "-m", "services.tokenizer"]
