-- The day on which the first attempt to charge an instalment was refused: grace and default run from it where it is later than
-- the due day. NULL: none was, or the instalment was late before this was kept; then they run from the due day.
ALTER TABLE instalments ADD COLUMN judged_on date;
-- What is due and was refused already has its days from the due day on.
UPDATE instalments i SET judged_on = i.due_on
WHERE i.status = 'due' AND EXISTS (
    SELECT 1 FROM payments y JOIN payment_attempts a ON a.payment_id = y.id
    WHERE y.instalment_id = i.id AND a.status = 'failed');
