-- Whether a card payment needs strong customer authentication (Delegated Regulation (EU) 2018/389), what was claimed in its
-- place, and who bears fraud.
ALTER TABLE payment_methods
    -- Of the card's issuer, ISO 3166; NULL where it is not known: then the bank alone decides.
    ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$'),
    -- The customer has put the merchant on the issuer's list (article 13).
    ADD COLUMN trusted_beneficiary boolean NOT NULL DEFAULT false,
    -- When its customer was last authenticated for a payment; charges without them rest on it.
    ADD COLUMN authenticated_at timestamptz;

ALTER TABLE payments
    -- Where the customer comes back to from an authentication.
    ADD COLUMN return_url text,
    -- The current attempt's, as it stands in payment_attempts, or as what the bank said since has changed it.
    ADD COLUMN authentication jsonb,
    -- due: the bank asked for the customer, and this attempt authenticates. spent: it has been tried; nothing of the kind
    -- follows.
    ADD COLUMN step_up_state text CHECK (step_up_state IN ('due', 'spent'));

-- Payments of the customer's own since the last authentication, by card and by the currency of the law that counts them
-- (article 16). The issuer's count decides; this is a careful guess at it.
CREATE TABLE sca_counters (
    fingerprint text NOT NULL,
    currency text NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    payments integer NOT NULL CHECK (payments > 0),
    PRIMARY KEY (fingerprint, currency)
);

-- Pages on which customers authenticate, one for an attempt that waits for it.
CREATE TABLE three_d_secure_pages (
    code text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    attempt_id text NOT NULL UNIQUE,
    -- threeDSServerTransID of the authentication that the issuer's script runs for, until when it may, and whether it has
    -- reported.
    transaction_id text UNIQUE,
    method_until timestamptz,
    method_reported boolean NOT NULL DEFAULT false,
    -- Until when the customer may begin, by the business clock; NULL once that has been seen to.
    open_until timestamptz
);
CREATE INDEX three_d_secure_pages_open ON three_d_secure_pages (open_until) WHERE open_until IS NOT NULL;

-- The message that decided holds the issuer's authentication value. It is kept sealed from here on, and only to answer a
-- repetition of it. What was kept in the open is of no use: those payments have moved on.
UPDATE three_d_secure SET result = NULL WHERE result IS NOT NULL;
