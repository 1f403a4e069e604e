-- The new default method that an attempt was asked for with, as long as none is known to use it.
ALTER TABLE billings ADD COLUMN asked_method_id text;
