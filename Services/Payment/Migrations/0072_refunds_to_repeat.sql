-- Money that nobody owes, that the service gives back by itself, and whose refund the provider has refused: it is asked for again
-- by a new refund. One row for a payment, under its row's lock; gone once all is given back.
CREATE TABLE refunds_to_repeat (
    payment_id text PRIMARY KEY REFERENCES payments,
    reason text NOT NULL,
    tries integer NOT NULL DEFAULT 1,
    -- 'infinity' where a person has to look, and nothing is asked for by itself.
    next_at timestamptz NOT NULL
);
CREATE INDEX refunds_to_repeat_due ON refunds_to_repeat (next_at);
