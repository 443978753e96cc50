# Make the database cluster once, as the official image does, and run the server.
set -eu
export PGDATA=/var/lib/postgresql/18/docker
bin=$(dirname "$(readlink -f "$(command -v initdb)")")
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    # split into words on purpose, as the official image does
    # shellcheck disable=SC2086
    "$bin/initdb" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
shift
exec "$bin/postgres" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
