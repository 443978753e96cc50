# The gateway, the io worker, the migrations and the command line, without torch:
#   docker build --file infra/docker/gateway.Dockerfile --tag luminary-gateway .
# docs/containers.md describes all images and their build arguments.
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

FROM ${BASE_IMAGE} AS build
ARG SOURCE_DATE_EPOCH=315532800
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
WORKDIR /source
COPY pyproject.toml constraints.txt ./
COPY infra/docker infra/docker
RUN infra/docker/install.sh packages api,io,backup
COPY . .
RUN infra/docker/install.sh project && infra/docker/install.sh finish

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="luminary-gateway" \
      org.opencontainers.image.description="Luminary: gateway, io worker, migrations and command line" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      io.luminary.sbom="/opt/app/sbom.cdx.json"
# the mount points of the secrets belong to the user, and so do the volumes that are mounted there
RUN echo 'luminary:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'luminary:x:10001:' >>/etc/group \
    && for name in setup services postgres valkey rabbitmq s3 grafana key; do \
        install -d -o 10001 -g 10001 "/secrets/$name"; done
COPY --from=build /opt/luminary /opt/luminary
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/luminary/bin:/opt/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    GATEWAY_HOST=0.0.0.0 \
    WORKER_HEALTH_HOST=0.0.0.0 \
    WORKER_HEALTH_PORT=8002
WORKDIR /opt/app
USER 10001:10001
EXPOSE 8000 8002
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-m", "infra.containers.ready", "8000"]
CMD ["python", "-m", "services.api"]
