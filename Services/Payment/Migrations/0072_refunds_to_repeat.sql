-- Money that nobody owes, that the service gives back by itself, and whose refund the provider has refused or undone: it is
-- asked for again by a new refund. One row for a payment, under its row's lock; gone once there is nothing left to give back.
CREATE TABLE refunds_to_repeat (
    payment_id text PRIMARY KEY REFERENCES payments,
    reason text NOT NULL,
    -- How much, minor units, less what was given back by hand since: where a plan is owed the rest of the payment.
    amount bigint NOT NULL CHECK (amount >= 0),
    tries integer NOT NULL DEFAULT 1,
    -- 'infinity' where a person has to look first.
    next_at timestamptz NOT NULL
);
CREATE INDEX refunds_to_repeat_due ON refunds_to_repeat (next_at);
