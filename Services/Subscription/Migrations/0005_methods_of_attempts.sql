-- The payment method of the latest attempt that is known to have begun, and the default method that came since: which
-- one is new is told by their ids, not by two services' clocks. `has_new_method` still says whether there is a new one:
-- older instances read and write that only, and the id of theirs is not kept.
ALTER TABLE billings
    ADD COLUMN payment_method_id text,
    ADD COLUMN new_method_id text,
    -- Whether an attempt was planned after the last one of the policy, for a provider that takes none before.
    ADD COLUMN has_extra_retry boolean NOT NULL DEFAULT false,
    -- What was given back of a payment that came after the end, minor units.
    ADD COLUMN amount_refunded bigint NOT NULL DEFAULT 0,
    ALTER COLUMN has_new_method SET DEFAULT false;

-- The few billings that were paid late. Not by invoice: noting an invoice stays an update within the page.
CREATE INDEX billings_paid_late ON billings (id) WHERE is_paid_late;
