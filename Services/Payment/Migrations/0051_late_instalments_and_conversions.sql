-- What an attempt has asked for, where its payment asks for another amount by now; NULL: as the payment says.
ALTER TABLE payment_attempts ADD COLUMN amount bigint CHECK (amount > 0);

-- Since when a customer's default method is the default, by the business clock: one that a provider has to keep first is
-- that later than it was made. NULL: since it was made.
ALTER TABLE payment_methods ADD COLUMN default_since timestamptz;

-- The other side of an exchange at a provider is looked for by what it is about.
CREATE INDEX settlement_lines_adjustments ON settlement_lines (provider, taken)
    WHERE kind = 'adjustment' AND state IN ('open', 'unmatched');
