ALTER TABLE billings
    -- Payment's number of the latest attempt whose failure is told; NULL as long as none is.
    ADD COLUMN failed_attempt bigint,
    -- What was given back since of a late payment that had become credit, minor units; the balance is lower by it.
    ADD COLUMN credit_returned bigint NOT NULL DEFAULT 0;
