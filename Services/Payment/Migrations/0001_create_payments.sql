-- What Payment knows of customers: fed by customer events.
CREATE TABLE customers (
    id text PRIMARY KEY,
    created_at timestamptz NOT NULL
);

CREATE TABLE payment_methods (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    type text NOT NULL CHECK (type = 'card'),
    brand text NOT NULL,
    last4 text NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
    exp_month integer NOT NULL CHECK (exp_month BETWEEN 1 AND 12),
    exp_year integer NOT NULL,
    fingerprint text NOT NULL,
    -- What the provider knows the card by. Never a card number.
    provider_token text NOT NULL,
    is_default boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX payment_methods_default ON payment_methods (customer_id) WHERE is_default;
CREATE INDEX payment_methods_customer ON payment_methods (customer_id, id);

CREATE TABLE payments (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    payment_method_id text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    amount_refunded bigint NOT NULL DEFAULT 0 CHECK (amount_refunded BETWEEN 0 AND amount),
    status text NOT NULL CHECK (status IN
        ('created', 'processing', 'requires_action', 'succeeded', 'failed', 'canceled')),
    -- An invoice has one payment, whose attempts are counted: it can never be collected twice.
    invoice_id text UNIQUE,
    billing_id text,
    subscription_id text,
    description text,
    metadata jsonb NOT NULL DEFAULT '{}',
    off_session boolean NOT NULL,
    -- The customer passed 3-D Secure for the current attempt.
    authenticated boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts >= 0),
    attempt_id text NOT NULL,
    decline_code text,
    decline_class text,
    risk_score text,
    risk_decision text,
    risk_reasons text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    -- Real time of the last step, whatever the test clock says: time-outs go by it.
    stepped_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX payments_customer ON payments (customer_id, id);
CREATE INDEX payments_in_flight ON payments (stepped_at) WHERE status IN ('created', 'processing');

CREATE TABLE payment_attempts (
    id text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    number integer NOT NULL CHECK (number >= 1),
    payment_method_id text,
    provider text NOT NULL,
    status text NOT NULL CHECK (status IN ('started', 'succeeded', 'failed', 'requires_action')),
    provider_reference text,
    decline_code text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (payment_id, number)
) WITH (fillfactor = 80);

CREATE TABLE refunds (
    id text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    customer_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('processing', 'succeeded')),
    reason text,
    provider_reference text,
    created_at timestamptz NOT NULL,
    stepped_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_payment ON refunds (payment_id, id);
CREATE INDEX refunds_in_flight ON refunds (stepped_at) WHERE status = 'processing';
