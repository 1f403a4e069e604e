-- Crypto: an address for each attempt, what was seen of it, and what is to go back. No key that could spend is here.

-- The next unused address of an account; accounts are named by a hash of their public key.
CREATE TABLE crypto_accounts (
    account text PRIMARY KEY,
    next_index bigint NOT NULL DEFAULT 0 CHECK (next_index BETWEEN 0 AND 2147483648)
);

-- A chain as far as it is followed. Of two instances that look at once only one finds the version it started from.
CREATE TABLE crypto_chains (
    chain text PRIMARY KEY,
    peak bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    -- Real time: of the last look that was stored, and from when on the next one is due.
    looked_at timestamptz,
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE crypto_blocks (
    chain text NOT NULL REFERENCES crypto_chains,
    height bigint NOT NULL CHECK (height >= 0),
    hash text NOT NULL,
    PRIMARY KEY (chain, height)
);

CREATE TABLE crypto_charges (
    attempt_id text PRIMARY KEY,
    payment_id text NOT NULL,
    provider text NOT NULL,
    chain text NOT NULL,
    account text NOT NULL REFERENCES crypto_accounts,
    address_index bigint NOT NULL,
    address text NOT NULL UNIQUE,
    -- The quote.
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    spread_basis_points integer NOT NULL,
    expected numeric(78, 0) NOT NULL CHECK (expected > 0),
    quoted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > quoted_at),
    -- The rules that held when it was given.
    tolerance_basis_points integer NOT NULL,
    late_rule text NOT NULL CHECK (late_rule IN ('accept', 'hold', 'refund')),
    least_refund numeric(78, 0) NOT NULL,
    confirmations text NOT NULL,
    decline_at timestamptz NOT NULL CHECK (decline_at >= expires_at),
    watch_until timestamptz NOT NULL CHECK (watch_until >= decline_at),
    -- What the address amounts to, in base units.
    outcome text NOT NULL DEFAULT 'waiting' CHECK (outcome IN
        ('waiting', 'expired', 'seen', 'partially_paid', 'paid', 'overpaid', 'late')),
    received numeric(78, 0) NOT NULL DEFAULT 0,
    pending numeric(78, 0) NOT NULL DEFAULT 0,
    late numeric(78, 0) NOT NULL DEFAULT 0,
    applied numeric(78, 0) NOT NULL DEFAULT 0,
    held numeric(78, 0) NOT NULL DEFAULT 0,
    refundable numeric(78, 0) NOT NULL DEFAULT 0,
    missing numeric(78, 0) NOT NULL,
    -- The last word on the attempt, which stays: captured, or why it was declined; NULL while it is open.
    answer text,
    answered_at timestamptz,
    -- What was applied when it was captured; what refunds are a share of.
    captured_units numeric(78, 0),
    -- When the charge flow had heard of the answer.
    told_at timestamptz,
    -- Nothing is looked for any more.
    closed_at timestamptz,
    UNIQUE (account, address_index),
    CHECK (received = applied + held + refundable),
    CHECK ((answer IS NULL) = (answered_at IS NULL)),
    CHECK ((answer IS NOT DISTINCT FROM 'captured') = (captured_units IS NOT NULL))
);
CREATE INDEX crypto_charges_payment ON crypto_charges (payment_id, attempt_id);
CREATE INDEX crypto_charges_watched ON crypto_charges (chain) WHERE closed_at IS NULL;
CREATE INDEX crypto_charges_untold ON crypto_charges (answered_at) WHERE answer IS NOT NULL AND told_at IS NULL;

-- Movements to a charge's address, once for each block they were seen in; no block while they wait for one.
CREATE TABLE crypto_transfers (
    attempt_id text NOT NULL REFERENCES crypto_charges,
    transaction_id text NOT NULL,
    position bigint NOT NULL,
    block_hash text NOT NULL DEFAULT '',
    block_height bigint,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    succeeded boolean NOT NULL,
    is_final boolean NOT NULL,
    PRIMARY KEY (attempt_id, transaction_id, position, block_hash),
    CHECK ((block_hash = '') = (block_height IS NULL))
);
CREATE TABLE crypto_arrivals (
    attempt_id text NOT NULL REFERENCES crypto_charges,
    transaction_id text NOT NULL,
    reported_at timestamptz NOT NULL,
    arrived_at timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, transaction_id)
);

-- What a person is to send back with keys that are elsewhere.
CREATE TABLE crypto_refund_instructions (
    id text PRIMARY KEY,
    attempt_id text NOT NULL REFERENCES crypto_charges,
    payment_id text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('overpaid', 'late', 'underpaid', 'merchant')),
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    -- What it is worth, minor units of the charge's currency: only where a refund asked for it.
    value bigint,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'sent', 'confirmed', 'withdrawn')),
    -- Given by the payer; never where the payment came from.
    address text,
    -- Who sent what: the instruction's fingerprint as it was signed off.
    signed_off_by text,
    fingerprint text,
    transaction_id text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    confirmed_at timestamptz,
    told_at timestamptz,
    CHECK ((reason = 'merchant') = (value IS NOT NULL)),
    CHECK ((status IN ('sent', 'confirmed')) = (transaction_id IS NOT NULL)),
    CHECK ((transaction_id IS NULL) = (fingerprint IS NULL)),
    UNIQUE (transaction_id, address)
);
CREATE INDEX crypto_refund_instructions_attempt ON crypto_refund_instructions (attempt_id);
CREATE INDEX crypto_refund_instructions_status ON crypto_refund_instructions (status, id);
-- What the payer sent too much is one open instruction, which grows and shrinks with it.
CREATE UNIQUE INDEX crypto_refund_instructions_surplus ON crypto_refund_instructions (attempt_id)
    WHERE status = 'open' AND reason <> 'merchant';

-- What a coin costs, as it was told; the newest of each pair.
CREATE TABLE crypto_rates (
    provider text NOT NULL,
    currency text NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    as_of timestamptz NOT NULL,
    PRIMARY KEY (provider, currency)
);
