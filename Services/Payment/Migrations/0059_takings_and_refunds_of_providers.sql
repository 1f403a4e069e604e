-- Refunds that only a provider's report tells of: those that nobody has looked at for longest are next.
CREATE INDEX settlement_lines_refunds ON settlement_lines (followed_at NULLS FIRST, occurred_at, line_id)
    WHERE kind = 'refund' AND state IN ('open', 'unmatched') AND source IS NOT NULL;
-- What was captured of a charge is asked with each look at its hold.
CREATE INDEX sandbox_captures_charge ON sandbox_captures (charge_key);
