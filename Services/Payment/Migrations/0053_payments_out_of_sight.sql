-- Whether the last look that judged a charge read all that can have been paid in time; one of which it did not is not given up.
ALTER TABLE crypto_charges ADD COLUMN is_all_read boolean NOT NULL DEFAULT true;

-- An open instruction with an address keeps its amount, since somebody may be sending it; what is more is one without.
DROP INDEX crypto_refund_instructions_surplus;
CREATE UNIQUE INDEX crypto_refund_instructions_surplus ON crypto_refund_instructions (attempt_id)
    WHERE status = 'open' AND reason NOT IN ('merchant', 'held') AND address IS NULL;

-- What is unexplained on an address, a line for each time it grew: each has come when it was seen first. The charge has the sum,
-- and the place of the oldest.
CREATE TABLE crypto_unexplained (
    attempt_id text NOT NULL REFERENCES crypto_charges,
    position integer NOT NULL,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    block_height bigint NOT NULL,
    block_hash text NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, position)
);
INSERT INTO crypto_unexplained (attempt_id, position, amount, block_height, block_hash, found_at)
SELECT attempt_id, 0, unexplained, unexplained_height, unexplained_hash, unexplained_at
FROM crypto_charges WHERE unexplained > 0;
