-- Invoices, their lines, the number series, what arrived without a home, and whom they are addressed to.

-- What the document says about the customer; Subscription owns it, events feed it.
CREATE TABLE customers (
    id text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    country text NOT NULL,
    time_zone text NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The last number of a series. A sequence would keep gaps after a rollback; a row does not. It is locked from the
-- UPDATE to the COMMIT of the batch that numbers, so numbers become visible in their order.
CREATE TABLE invoice_numbers (
    series text PRIMARY KEY,
    last bigint NOT NULL DEFAULT 0 CHECK (last >= 0)
);
INSERT INTO invoice_numbers (series) VALUES ('INV');

CREATE TABLE invoices (
    id text PRIMARY KEY,
    billing_id text NOT NULL UNIQUE,
    subscription_id text NOT NULL,
    customer_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'finalized', 'paid', 'void', 'uncollectible')),
    number bigint UNIQUE CHECK (number > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    subtotal bigint NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    amount_paid bigint NOT NULL DEFAULT 0,
    amount_refunded bigint NOT NULL DEFAULT 0,
    reason text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    issued_at timestamptz,
    paid_at timestamptz,
    voided_at timestamptz,
    void_reason text,
    payment_id text UNIQUE,
    CONSTRAINT invoices_numbered CHECK ((status = 'draft') = (number IS NULL)),
    CONSTRAINT invoices_issued CHECK ((number IS NULL) = (issued_at IS NULL)),
    CONSTRAINT invoices_paid_in_full CHECK (amount_paid = CASE status WHEN 'paid' THEN total ELSE 0 END),
    CONSTRAINT invoices_paid_by CHECK (status <> 'paid' OR total = 0 OR payment_id IS NOT NULL),
    CONSTRAINT invoices_refunded CHECK (amount_refunded BETWEEN 0 AND amount_paid)
);
CREATE INDEX invoices_by_customer ON invoices (customer_id, id DESC);
CREATE INDEX invoices_by_subscription ON invoices (subscription_id, id DESC);
CREATE INDEX invoices_by_status ON invoices (status, id DESC);

-- Written with their invoice and never again. No foreign key: one code path writes both in one pipeline, and the
-- consistency check adds them up.
CREATE TABLE invoice_lines (
    invoice_id text NOT NULL,
    position integer NOT NULL,
    description text NOT NULL,
    quantity bigint NOT NULL,
    unit_amount bigint NOT NULL,
    amount bigint NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    proration boolean NOT NULL,
    PRIMARY KEY (invoice_id, position)
);

CREATE TABLE invoice_refunds (
    refund_id text PRIMARY KEY,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    refunded_at timestamptz NOT NULL
);
CREATE INDEX invoice_refunds_by_invoice ON invoice_refunds (invoice_id);

-- Money that was taken for an invoice that could not accept it. A person gives it back; until then it is a violation.
CREATE TABLE unapplied_payments (
    payment_id text PRIMARY KEY,
    invoice_id text NOT NULL,
    customer_id text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    amount_refunded bigint NOT NULL DEFAULT 0,
    reason text NOT NULL CHECK (reason IN ('invoice_void', 'amount_differs', 'currency_differs', 'paid_by_another')),
    succeeded_at timestamptz NOT NULL,
    CONSTRAINT unapplied_payments_refunded CHECK (amount_refunded BETWEEN 0 AND amount)
);
CREATE INDEX unapplied_payments_open ON unapplied_payments (payment_id) WHERE amount_refunded < amount;
