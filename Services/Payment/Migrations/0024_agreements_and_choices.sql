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
