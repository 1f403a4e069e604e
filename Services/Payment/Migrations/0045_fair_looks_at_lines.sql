-- Real time of the last look at the charge of a line that is not booked: those that nobody has looked at for longest are next.
ALTER TABLE settlement_lines ADD COLUMN followed_at timestamptz;
CREATE INDEX settlement_lines_followed ON settlement_lines (followed_at NULLS FIRST, occurred_at, line_id)
    WHERE kind = 'charge' AND state IN ('open', 'unmatched') AND own_reference IS NOT NULL;
-- A charge that failed is looked for by what it is part of.
CREATE INDEX settlement_lines_charges ON settlement_lines (provider, taken)
    WHERE kind = 'charge' AND state IN ('open', 'unmatched');
