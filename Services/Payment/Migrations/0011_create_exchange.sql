-- What a currency was worth in another on a day, by who said so. A rate is a fraction, so that cross rates are exact.
CREATE TABLE exchange_rates (
    id text PRIMARY KEY,
    source text NOT NULL CHECK (source ~ '^(ecb|manual|provider:[a-z0-9_]+)$'),
    from_currency text NOT NULL,
    to_currency text NOT NULL,
    numerator numeric NOT NULL CHECK (numerator > 0),
    denominator numeric NOT NULL CHECK (denominator > 0),
    date date NOT NULL,
    -- Who gave it; NULL for what was imported.
    actor text,
    created_at timestamptz NOT NULL,
    CHECK (from_currency <> to_currency)
);
-- What the ECB publishes is for one euro; a cross rate is added when the first payment needs it.
CREATE UNIQUE INDEX exchange_rates_ecb ON exchange_rates (from_currency, to_currency, date) WHERE source = 'ecb';
CREATE INDEX exchange_rates_pair ON exchange_rates (source, from_currency, to_currency, date, id);
CREATE TRIGGER exchange_rates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_rates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- When a feed was last looked at, in real time, and what it was then.
CREATE TABLE exchange_feeds (
    url text PRIMARY KEY,
    etag text,
    checked_at timestamptz NOT NULL
);

-- What a capture (positive) or refund (negative) is in the currency in which its provider settles.
CREATE TABLE exchange_movements (
    -- An attempt, a capture or a refund.
    reference text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    amount bigint NOT NULL CHECK (amount <> 0),
    currency text NOT NULL,
    settlement_amount bigint NOT NULL,
    settlement_currency text NOT NULL CHECK (settlement_currency <> currency),
    -- What it moved on the exchange account: of a refund, its part of what its captures were booked at.
    position_amount bigint NOT NULL,
    exchange_rate_id text REFERENCES exchange_rates,
    -- What the provider made of it in the end.
    settled_amount bigint,
    settled_rate_id text REFERENCES exchange_rates,
    created_at timestamptz NOT NULL
);
CREATE INDEX exchange_movements_payment ON exchange_movements (payment_id);

-- Of what was captured: the best that is known, and the rate of the latest booking.
ALTER TABLE payments
    ADD COLUMN settlement_amount bigint,
    ADD COLUMN settlement_currency text,
    ADD COLUMN exchange_rate_id text;
