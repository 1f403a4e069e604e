-- The sandbox provider's own books, as an outside provider would keep them. Payment reads them only through the provider.
CREATE TABLE sandbox_charges (
    idempotency_key text PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('succeeded', 'declined', 'requires_action')),
    decline_code text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sandbox_refunds (
    idempotency_key text PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    charge_key text NOT NULL REFERENCES sandbox_charges,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
