-- Answers of write requests by idempotency key, so that a repeated request gets the first answer.
-- An open row was claimed by a committed transaction whose answer is not known yet.
CREATE TABLE idempotency_keys (
    scope            text        NOT NULL,
    key              text        NOT NULL,
    operation        text        NOT NULL,
    request_hash     bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    status           text        NOT NULL CHECK (status IN ('open', 'closed')),
    resource_id      text,
    response_status  integer     CHECK (response_status BETWEEN 200 AND 599),
    response_headers text        NOT NULL DEFAULT '',
    response_body    text,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    PRIMARY KEY (scope, key),
    CHECK ((status = 'closed') = (response_status IS NOT NULL AND response_body IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- Secret API keys: owned by one service, projected into the others by events. The secret itself is never stored.
CREATE TABLE api_keys (
    id           text        PRIMARY KEY,
    name         text        NOT NULL,
    display      text        NOT NULL,
    hash         bytea       NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
