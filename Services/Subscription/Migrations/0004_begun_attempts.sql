-- Payment's number of the latest attempt that is known to have begun there; NULL as long as nothing is known.
ALTER TABLE billings ADD COLUMN begun_attempt bigint;
