-- Since when there have been more transactions on a charge's address than are read, by the business clock; NULL where all of
-- them are. What was seen before goes on to count.
ALTER TABLE crypto_charges ADD COLUMN unreadable_since timestamptz;
