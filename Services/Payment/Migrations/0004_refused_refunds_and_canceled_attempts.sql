-- A refund that the provider refuses for good, and the attempt of a payment that was given up.
ALTER TABLE refunds
    ADD COLUMN failure_code text,
    DROP CONSTRAINT refunds_status_check,
    ADD CONSTRAINT refunds_status_check CHECK (status IN ('processing', 'succeeded', 'failed')),
    ADD CONSTRAINT refunds_failure_named CHECK ((status = 'failed') = (failure_code IS NOT NULL));
ALTER TABLE payment_attempts
    DROP CONSTRAINT payment_attempts_status_check,
    ADD CONSTRAINT payment_attempts_status_check
        CHECK (status IN ('started', 'succeeded', 'failed', 'requires_action', 'canceled'));
