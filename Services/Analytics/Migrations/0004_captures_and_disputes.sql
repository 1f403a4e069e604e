-- Money of authorized payments counts when it is captured, which may be in parts and days apart.
CREATE TABLE captures (
    capture_id text PRIMARY KEY,
    payment_id text NOT NULL,
    customer_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    captured_at timestamptz NOT NULL
);

-- How disputes ended: a row for each word on it, since an appeal may turn one. The latest word by closed_at holds.
CREATE TABLE dispute_outcomes (
    event_id text PRIMARY KEY,
    dispute_id text NOT NULL,
    payment_id text NOT NULL,
    customer_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('won', 'lost', 'closed')),
    closed_at timestamptz NOT NULL
);
