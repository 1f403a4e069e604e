-- Refunds that failed after they were booked, and refunds of money that was set aside: both are kept, neither counts.
ALTER TABLE invoice_refunds
    ADD COLUMN unapplied boolean NOT NULL DEFAULT false,
    ADD COLUMN failed_at timestamptz;
