-- By the business clock: when the last look at a chain began that saw all there was, what waits for a block included. What a
-- later look finds has come since, nobody knows when: it counts as come then.
ALTER TABLE crypto_chains ADD COLUMN read_at timestamptz;
UPDATE crypto_chains SET read_at = looked_at;

-- Who gave the address of an instruction over held money last, as the key and as the first key before all its rotations:
-- neither they nor who decided sign it off. NULL where nobody has since; before, they took the place of who decided.
ALTER TABLE crypto_refund_instructions ADD COLUMN directed_by text, ADD COLUMN directed_by_lineage text;
