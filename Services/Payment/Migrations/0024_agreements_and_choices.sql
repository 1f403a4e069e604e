-- How a customer agreed to an instalment plan on a link's page: to which offer, in which words, when and from where. Kept
-- for ever: the card's own mandate is replaced by a later one.
CREATE TABLE instalment_agreements (
    plan_id text PRIMARY KEY REFERENCES instalment_plans,
    -- The fingerprint of what was shown; the plan and its terms say what that was.
    offer text NOT NULL CHECK (offer ~ '^[0-9a-f]{32}$'),
    wording text NOT NULL,
    language text NOT NULL,
    ip_address text NOT NULL,
    user_agent text NOT NULL,
    accepted_at timestamptz NOT NULL
);

-- Bookings that a settlement line is not, whatever they have in common: somebody who looked said so. They are not paired.
CREATE TABLE settlement_refusals (
    provider text NOT NULL,
    line_id text NOT NULL,
    entry_id text NOT NULL,
    refused_at timestamptz NOT NULL,
    PRIMARY KEY (provider, line_id, entry_id),
    FOREIGN KEY (provider, line_id) REFERENCES settlement_lines
);

-- Declined crypto attempts whose payments were completed by decision, with the money that came too late for them.
CREATE TABLE crypto_completions (
    attempt_id text PRIMARY KEY REFERENCES crypto_charges,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL,
    completed_at timestamptz NOT NULL
);
CREATE TRIGGER crypto_completions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crypto_completions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
