#!/bin/sh
# Takes the passwords out of the secret files, brings the schema up to date, and becomes the daemon; with arguments, runs
# one of its commands: docker compose exec subscription sh /srv/entrypoint.sh keys list
set -eu
REFRAIN_DB_PASSWORD=$(cat "/run/secrets/db_$REFRAIN_SERVICE")
export REFRAIN_DB_PASSWORD
if [ "${1:-serve}" = serve ]; then
    REFRAIN_ADMIN_DB_URL="postgresql://postgres:$(cat /run/secrets/db_admin)@postgres:5432/refrain" \
        /usr/local/bin/refrain-service migrate
fi
exec /usr/local/bin/refrain-service "${@:-serve}"
