-- What was given back of invoices, minor units: an immediate change of plan credits no more than is left of the payment of the
-- running time.
CREATE TABLE refunds (
    invoice_id text PRIMARY KEY,
    amount bigint NOT NULL
);
ALTER TABLE billings
    -- Of an immediate change: whose payment the credit for unused time comes from, and what of it had gone before, minor units.
    ADD COLUMN unused_invoice_id text,
    ADD COLUMN unused_gone bigint,
    -- What was credited, and what was not because that payment had gone.
    ADD COLUMN unused_credit bigint,
    ADD COLUMN unused_withheld bigint;

-- Neither is touched when a billing changes, which stays an update within the page.
CREATE INDEX billings_unused ON billings (unused_invoice_id) WHERE unused_invoice_id IS NOT NULL;
CREATE INDEX billings_changes ON billings (subscription_id, billed_at) WHERE reason = 'upgrade';
