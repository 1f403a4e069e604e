-- The payment method of the latest attempt that is known to have begun, and the default method that came since: which
-- one is new is told by their ids, not by two services' clocks. `pm_unknown` stands for one whose id was not kept.
-- `has_new_method` is not written any more; older instances still may.
ALTER TABLE billings
    ADD COLUMN payment_method_id text,
    ADD COLUMN new_method_id text,
    -- Whether an attempt was planned after the last one of the policy, for a provider that takes none before.
    ADD COLUMN has_extra_retry boolean NOT NULL DEFAULT false,
    -- What was given back of a payment that came after the end, minor units.
    ADD COLUMN amount_refunded bigint NOT NULL DEFAULT 0,
    ALTER COLUMN has_new_method SET DEFAULT false;
UPDATE billings SET new_method_id = 'pm_unknown' WHERE status = 'open' AND has_new_method;

-- The few billings that were paid late. Not by invoice: noting an invoice stays an update within the page.
CREATE INDEX billings_paid_late ON billings (id) WHERE is_paid_late;
