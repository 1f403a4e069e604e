-- The ledger books more than payments: a payout, a fee or an adjustment belongs to no single payment.
ALTER TABLE journal_entries
    ALTER COLUMN payment_id DROP NOT NULL,
    DROP CONSTRAINT journal_entries_kind_check,
    ADD CONSTRAINT journal_entries_kind_check CHECK (kind ~ '^[a-z]+(_[a-z]+)*$');
