-- What providers tell of their own accord, as it came. A delivery counts once under its provider's event id.
CREATE TABLE inbound_webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    -- Those that help to find out what happened; signatures are not kept.
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    -- When the provider says it happened, and when it came; real time, both.
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'parked')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    -- Why it waits or is parked, or why nothing was to be done.
    reason text,
    UNIQUE (provider, event_id),
    CHECK (state <> 'parked' OR reason IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX inbound_webhooks_due ON inbound_webhooks (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX inbound_webhooks_received ON inbound_webhooks (received_at);

-- The audit line of what was not believed: nothing of it is kept but its hash.
CREATE TABLE inbound_webhook_rejections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    reason text NOT NULL,
    -- The address it came from.
    source text NOT NULL,
    -- SHA-256; NULL where the body was not read.
    body_hash bytea,
    rejected_at timestamptz NOT NULL
);
CREATE INDEX inbound_webhook_rejections_time ON inbound_webhook_rejections (rejected_at);

-- A refund that was made at the provider is known by the provider's name of it, and counts once.
CREATE UNIQUE INDEX refunds_provider_reference ON refunds (provider_reference) WHERE provider_reference IS NOT NULL;
-- Providers name charges and captures their own way; both are found by that.
CREATE INDEX IF NOT EXISTS payment_attempts_provider_reference ON payment_attempts (provider_reference)
    WHERE provider_reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS captures_provider_reference ON captures (provider_reference)
    WHERE provider_reference IS NOT NULL;
