#!/bin/sh
# Takes the passwords out of the secret files, brings the schema up to date, and becomes the daemon.
set -eu
REFRAIN_DB_PASSWORD=$(cat "/run/secrets/db_$REFRAIN_SERVICE")
export REFRAIN_DB_PASSWORD
REFRAIN_ADMIN_DB_URL="postgresql://postgres:$(cat /run/secrets/db_admin)@postgres:5432/refrain" \
    /usr/local/bin/refrain-service migrate
exec /usr/local/bin/refrain-service serve
