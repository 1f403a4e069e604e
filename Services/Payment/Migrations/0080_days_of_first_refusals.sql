-- The day on which the first attempt to charge an instalment was refused: grace and default run from it where it is later than
-- the due day. NULL: none was, or the instalment was late before this was kept; then they run from the due day.
ALTER TABLE instalments ADD COLUMN judged_on date;
