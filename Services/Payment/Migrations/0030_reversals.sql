-- Money that a provider took back of its own accord, and what it stands for: a refund that was made there, or the withdrawal of
-- a dispute. A refund that turned out to be a dispute's has both, and counts no more. The amount is what it accounts for.
CREATE TABLE reversals (
    provider text NOT NULL,
    -- The provider's name of it: a refund's, or the charge's.
    reference text NOT NULL,
    payment_id text NOT NULL REFERENCES payments,
    amount bigint NOT NULL CHECK (amount >= 0),
    -- When it happened, by the provider's clock.
    told_at timestamptz NOT NULL,
    refund_id text UNIQUE REFERENCES refunds,
    dispute_id text REFERENCES disputes,
    PRIMARY KEY (provider, reference),
    CHECK (refund_id IS NOT NULL OR dispute_id IS NOT NULL)
);
CREATE INDEX reversals_of_payments ON reversals (payment_id);
CREATE INDEX reversals_of_disputes ON reversals (dispute_id) WHERE dispute_id IS NOT NULL;

-- All that was ever withdrawn for a dispute: more than once where it was won and lost again.
ALTER TABLE disputes ADD COLUMN withdrawn bigint NOT NULL DEFAULT 0;
