-- Before when the network of an attempt's card wants no other one, as its failure was told; NULL: it has not said. Of attempts
-- that ended before this, nobody knows.
ALTER TABLE payment_attempts ADD COLUMN retry_at timestamptz;
