-- How disputes of invoices' payments ended: the last word on each, since an appeal may turn one. What became credit here and
-- was lost there is taken off the credit again.
CREATE TABLE disputes (
    dispute_id text PRIMARY KEY,
    invoice_id text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    is_lost boolean NOT NULL,
    closed_at timestamptz NOT NULL
);
CREATE INDEX disputes_lost ON disputes (invoice_id) WHERE is_lost;
