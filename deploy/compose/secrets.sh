#!/usr/bin/env bash
# Makes the secret files that docker-compose.yaml names; leaves those alone that are there.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p secrets
for name in db_admin db_payment db_subscription db_invoice db_fraud db_analytics; do
    [[ -s secrets/$name ]] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"secrets/$name"
done
[[ -s secrets/encryption_key ]] || head -c 32 /dev/urandom >secrets/encryption_key
# The daemons run as user 10001 and read them through the mount; the directory keeps others out.
chmod 700 secrets
chmod 644 secrets/*
