-- What an authorization is told of its customer's authentication, sealed (AES-GCM) for the payment under a key that the
-- database does not have. Gone when the payment is over.
ALTER TABLE three_d_secure ADD COLUMN proof bytea;
CREATE INDEX three_d_secure_proofs ON three_d_secure (payment_id) WHERE proof IS NOT NULL;

-- What the sandbox was told of it: what was claimed in its place, or what came of it. No cryptogram.
ALTER TABLE sandbox_charges ADD COLUMN authentication text;

-- Payments on their way count for low value (article 16) as if they had gone through.
CREATE INDEX payments_counting ON payments (payment_method_id)
    WHERE status = 'processing' AND authentication ? 'counted';
CREATE INDEX payment_methods_counting ON payment_methods (fingerprint) WHERE country IS NOT NULL;

-- Methods that were taken off their customers and are to be removed at the providers that keep them, until that is done.
CREATE TABLE method_removals (
    payment_method_id text PRIMARY KEY REFERENCES payment_methods,
    status text NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'succeeded', 'failed')),
    -- Why the provider will not, ever.
    failure_code text,
    tries integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    -- Real time: when it is asked next.
    due_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX method_removals_due ON method_removals (due_at) WHERE status = 'processing';

-- How much of the value of card payments over 90 days was fraud (articles 18 and 19), once a business day; NULL where there
-- was too little to tell.
CREATE TABLE fraud_rates (
    day date PRIMARY KEY,
    basis_points numeric CHECK (basis_points >= 0),
    payments bigint NOT NULL
);

-- With the payment its customer agreed to later charges of the method without them.
ALTER TABLE payments ADD COLUMN keeps_method boolean NOT NULL DEFAULT false;
