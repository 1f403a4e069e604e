-- What a look at a chain has asked its node and heard of one address. After which block the balance was asked for last, and when
-- that look began, by the business clock, whatever the node answered; when the last look began that was told it; and from which
-- height on the node has told nothing of a transfer that was seen to wait for a block.
ALTER TABLE crypto_charges
    ADD COLUMN balance_block text,
    ADD COLUMN balance_asked_at timestamptz,
    ADD COLUMN balance_at timestamptz,
    ADD COLUMN untold_since bigint;
