-- What a link's page has its customer agree to besides the payment: nothing, to later charges of what they pay with as they
-- like, or to those by paying.
ALTER TABLE payment_links ADD COLUMN keep_method text NOT NULL DEFAULT 'never'
    CHECK (keep_method IN ('never', 'offered', 'always'));

-- How customers agreed to that, with which attempt: in which words, when and from where. Kept for ever: the method's own mandate
-- may be replaced by a later one.
CREATE TABLE payment_link_agreements (
    payment_id text NOT NULL REFERENCES payments,
    payment_method_id text NOT NULL REFERENCES payment_methods,
    wording text NOT NULL,
    language text NOT NULL,
    ip_address text NOT NULL,
    user_agent text NOT NULL,
    accepted_at timestamptz NOT NULL,
    -- When the payment went through with it, and when the method was kept for that.
    paid_at timestamptz,
    kept_at timestamptz,
    PRIMARY KEY (payment_id, payment_method_id)
);
CREATE INDEX payment_link_agreements_due ON payment_link_agreements (paid_at)
    WHERE paid_at IS NOT NULL AND kept_at IS NULL;
CREATE INDEX payment_link_agreements_method ON payment_link_agreements (payment_method_id);
