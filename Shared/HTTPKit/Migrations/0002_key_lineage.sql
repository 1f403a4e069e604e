-- The key that a key has come of by rotations, itself where there were none: idempotency keys are kept under it, so that a
-- request that is repeated with the new key meets its first answer.
ALTER TABLE api_keys ADD COLUMN lineage text;
