-- Who decided is kept as the key that was used, and beside it the first key before all its rotations: whoever signs off must
-- have another one. NULL where nobody decided, and of decisions before this, which have the first key in asked_by.
ALTER TABLE crypto_refund_instructions ADD COLUMN asked_by_lineage text;
