-- Events leave through the outbox and arrive through the inbox: docs/decisions/0003-outbox-and-inbox.md

-- xid is the transaction that wrote the row. The relay publishes in (xid, seq) order and only rows whose xid is below
-- the oldest running transaction: a row that commits late can then never be passed by.
CREATE TABLE outbox (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL,
    type text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    traceparent text,
    body text NOT NULL,
    PRIMARY KEY (xid, seq)
);
CREATE INDEX outbox_recorded ON outbox USING brin (recorded_at);

-- How far the broker has confirmed. Losing the last update repeats events, which the inbox absorbs; it never skips one.
CREATE TABLE outbox_relay (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    xid xid8 NOT NULL DEFAULT '0',
    seq bigint NOT NULL DEFAULT 0
);
INSERT INTO outbox_relay DEFAULT VALUES;

CREATE TABLE inbox (
    event_id text NOT NULL,
    consumer text NOT NULL,
    type text NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, consumer)
);

-- Events whose handling failed for now, and every later event of the same key behind them, in order of id.
CREATE TABLE event_retries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    time timestamptz NOT NULL,
    traceparent text,
    body text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    UNIQUE (consumer, event_id)
);
CREATE INDEX event_retries_by_key ON event_retries (consumer, key, id);

-- Messages that can never work. The bytes are kept as they came.
CREATE TABLE parked_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    fingerprint text NOT NULL,
    event_id text,
    type text,
    source text NOT NULL DEFAULT '',
    topic text NOT NULL,
    key text,
    time timestamptz,
    traceparent text,
    body bytea NOT NULL,
    reason text NOT NULL,
    status text NOT NULL DEFAULT 'parked' CHECK (status IN ('parked', 'requeued', 'discarded')),
    parked_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    UNIQUE (consumer, fingerprint)
);
CREATE INDEX parked_events_open ON parked_events (id) WHERE status = 'parked';
