-- Cards and network tokens out of wallets: each is used by one payment, with what authenticates that one charge.
ALTER TABLE payment_methods
    ADD COLUMN wallet text CHECK (wallet IN ('google_pay', 'apple_pay')),
    ADD CONSTRAINT payment_methods_wallet_once CHECK (wallet IS NULL OR single_use);

-- Tokens that were accepted, until they are refused for their age alone: none is accepted twice.
CREATE TABLE wallet_tokens (
    id text PRIMARY KEY,
    keep_until timestamptz NOT NULL
);
CREATE INDEX wallet_tokens_old ON wallet_tokens (keep_until);

-- What a charge needs of a token, sealed (AES-GCM) under a key that the database does not have. Gone when the payment
-- is over, or when the time to use it is.
CREATE TABLE wallet_credentials (
    payment_method_id text PRIMARY KEY REFERENCES payment_methods,
    sealed bytea NOT NULL,
    -- What the customer agreed to pay, where the token says it.
    amount bigint CHECK (amount >= 0),
    currency text,
    usable_until timestamptz NOT NULL,
    -- The one payment that uses it.
    payment_id text UNIQUE,
    CHECK ((amount IS NULL) = (currency IS NULL))
);
CREATE INDEX wallet_credentials_old ON wallet_credentials (usable_until);

-- Audit lines of tokens that were refused. Nothing of a token is in them.
CREATE TABLE wallet_refusals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id text NOT NULL,
    wallet text NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL
);
CREATE INDEX wallet_refusals_old ON wallet_refusals (refused_at);

-- How the customer was authenticated for an attempt, and who bears fraud.
ALTER TABLE payment_attempts ADD COLUMN authentication jsonb;

-- Authentications by 3-D Secure, each of one attempt. The RReq that decides may reach any instance.
CREATE TABLE three_d_secure (
    -- threeDSServerTransID
    id text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    attempt_id text NOT NULL UNIQUE,
    -- What the customer's browser finds its page by.
    code text NOT NULL UNIQUE,
    status text NOT NULL CHECK (status IN ('asked', 'challenge', 'decoupled', 'done')),
    -- What the issuer said; none while the directory server's answer is not there. No card number, no cryptogram.
    state jsonb,
    -- When silence becomes a no, by the business clock.
    deadline timestamptz,
    -- The RReq that decided: a repetition of it gets the same answer.
    result bytea,
    CHECK ((status = 'done') = (deadline IS NULL))
);
CREATE INDEX three_d_secure_open ON three_d_secure (deadline) WHERE status <> 'done';

-- Numbers of the sandbox's cards, sealed, where a directory server is to be told them.
CREATE TABLE three_d_secure_cards (
    payment_method_id text PRIMARY KEY REFERENCES payment_methods,
    sealed bytea NOT NULL
);
