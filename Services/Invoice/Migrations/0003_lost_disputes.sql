-- How disputes of invoices' payments ended: the last word on each, since an appeal may turn one.
CREATE TABLE invoice_disputes (
    dispute_id text PRIMARY KEY,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('won', 'lost', 'closed')),
    closed_at timestamptz NOT NULL
);
CREATE INDEX invoice_disputes_lost ON invoice_disputes (payment_id) WHERE outcome = 'lost';
