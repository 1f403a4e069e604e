#!/bin/sh
# Fills the REFRAIN_ variables of the configuration, leaves nginx's own, and becomes nginx.
set -eu
names=$(env | sed -n 's/^\(REFRAIN_[A-Z_]*\)=.*/${\1}/p' | tr '\n' ' ')
envsubst "$names" </srv/nginx.conf >/tmp/nginx.conf
exec nginx -e stderr -c /tmp/nginx.conf
