-- What was received beyond a price is owed to its payer, stands in the ledger, and has ways on.
INSERT INTO ledger_chart (pattern) VALUES ('liabilities:payer_funds:{provider}'), ('income:accepted_surplus');

ALTER TABLE crypto_charges
    -- As far as the ledger has it, in base units: what came in beyond what pays, and what of it has left again.
    ADD COLUMN booked_surplus numeric(78, 0) NOT NULL DEFAULT 0,
    ADD COLUMN booked_out numeric(78, 0) NOT NULL DEFAULT 0,
    ADD COLUMN booked_entries integer NOT NULL DEFAULT 0,
    -- What of the held money was kept with the payer's consent.
    ADD COLUMN accepted numeric(78, 0) NOT NULL DEFAULT 0;
CREATE INDEX crypto_charges_held ON crypto_charges (attempt_id) WHERE held > 0 AND answer IS NOT NULL;
-- What had come and gone back before the ledger knew of it leaves nothing to book.
UPDATE crypto_charges c SET booked_surplus = s.sent, booked_out = s.sent FROM (
    SELECT attempt_id, sum(amount) AS sent FROM crypto_refund_instructions
    WHERE reason <> 'merchant' AND status = 'confirmed' GROUP BY attempt_id) AS s
WHERE s.attempt_id = c.attempt_id;

ALTER TABLE crypto_refund_instructions
    DROP CONSTRAINT crypto_refund_instructions_reason_check,
    ADD CONSTRAINT crypto_refund_instructions_reason_check
        CHECK (reason IN ('overpaid', 'late', 'underpaid', 'merchant', 'held')),
    DROP CONSTRAINT crypto_refund_instructions_status_check,
    ADD CONSTRAINT crypto_refund_instructions_status_check
        CHECK (status IN ('open', 'sent', 'confirmed', 'withdrawn', 'canceled')),
    -- What is kept back of held money for sending it.
    ADD COLUMN fee numeric(78, 0) NOT NULL DEFAULT 0 CHECK (fee >= 0),
    -- Who decided on held money; another one signs off.
    ADD COLUMN asked_by text,
    ADD COLUMN canceled_by text,
    ADD COLUMN canceled_at timestamptz,
    ADD CHECK ((reason = 'held') = (asked_by IS NOT NULL)),
    ADD CHECK ((status = 'canceled') = (canceled_at IS NOT NULL));
DROP INDEX crypto_refund_instructions_surplus;
CREATE UNIQUE INDEX crypto_refund_instructions_surplus ON crypto_refund_instructions (attempt_id)
    WHERE status = 'open' AND reason NOT IN ('merchant', 'held');

-- Held money that was kept: how much, why, and who said so.
CREATE TABLE crypto_acceptances (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id text NOT NULL REFERENCES crypto_charges,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL,
    accepted_at timestamptz NOT NULL
);
CREATE INDEX crypto_acceptances_attempt ON crypto_acceptances (attempt_id);
CREATE TRIGGER crypto_acceptances_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crypto_acceptances
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A chain that cannot be followed stands still until somebody says from where on it is followed again.
ALTER TABLE crypto_chains
    ADD COLUMN stopped_at timestamptz,
    ADD COLUMN stop_reason text,
    ADD COLUMN restart_height bigint CHECK (restart_height >= 0),
    ADD CHECK ((stopped_at IS NULL) = (stop_reason IS NULL)),
    ADD CHECK (restart_height IS NULL OR stopped_at IS NOT NULL);
CREATE TABLE crypto_chain_restarts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain text NOT NULL REFERENCES crypto_chains,
    height bigint NOT NULL,
    -- Why it stood still, and its last block then.
    stop_reason text NOT NULL,
    tip_height bigint,
    tip_hash text,
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL,
    asked_at timestamptz NOT NULL
);
CREATE TRIGGER crypto_chain_restarts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crypto_chain_restarts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a balance has beyond the transfers that were seen: a contract sent it, or a transfer was missed.
ALTER TABLE crypto_charges
    ADD COLUMN unexplained numeric(78, 0) NOT NULL DEFAULT 0,
    ADD COLUMN unexplained_height bigint,
    ADD COLUMN unexplained_hash text,
    ADD COLUMN unexplained_at timestamptz,
    ADD CHECK ((unexplained > 0) = (unexplained_at IS NOT NULL)),
    ADD CHECK ((unexplained_at IS NULL) = (unexplained_height IS NULL)),
    ADD CHECK ((unexplained_at IS NULL) = (unexplained_hash IS NULL));
CREATE INDEX crypto_charges_unexplained ON crypto_charges (attempt_id) WHERE unexplained > 0;
CREATE TABLE crypto_counted (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id text NOT NULL REFERENCES crypto_charges,
    transaction_id text NOT NULL,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL,
    counted_at timestamptz NOT NULL
);
CREATE TRIGGER crypto_counted_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crypto_counted
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Fees that are not as agreed; and of a line that may be one of several bookings, which they are.
ALTER TABLE reconciliation_cases
    DROP CONSTRAINT reconciliation_cases_reason_check,
    ADD CONSTRAINT reconciliation_cases_reason_check CHECK (reason IN ('not_booked', 'ambiguous', 'not_at_provider',
        'amount', 'currency', 'fee', 'fee_differs')),
    ADD COLUMN candidates text[] NOT NULL DEFAULT '{}';
