-- What was taken back comes again: a dispute that was won, a refund that failed after it was settled. It returns to the
-- exchange account at the value at which it left.
ALTER TABLE exchange_movements ADD COLUMN returned boolean NOT NULL DEFAULT false;

-- Waiting lines are found by our id that they carry: what one names is no other's.
CREATE INDEX settlement_lines_named ON settlement_lines (provider, own_reference)
    WHERE state IN ('open', 'unmatched') AND own_reference IS NOT NULL;
-- What a dispute's lines have booked as its fee is looked for when the fee is learnt.
CREATE INDEX settlement_lines_disputes ON settlement_lines (provider, source)
    WHERE kind IN ('dispute', 'dispute_reversal');
-- Payouts that were told to have failed before they were told of.
CREATE INDEX settlement_lines_payout_failures ON settlement_lines (provider, source) WHERE kind = 'payout_failure';
