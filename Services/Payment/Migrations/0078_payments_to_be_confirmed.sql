-- Payments that are recorded first and confirmed later: they have no attempt, and `action_expires_at` says until when they can
-- be confirmed. Nobody but their merchant has heard of them.
ALTER TABLE payments
    DROP CONSTRAINT payments_status_check,
    ADD CONSTRAINT payments_status_check CHECK (status IN
        ('requires_confirmation', 'created', 'processing', 'requires_action', 'authorized', 'canceling', 'succeeded', 'failed',
            'canceled'));
CREATE INDEX payments_to_be_confirmed ON payments (action_expires_at) WHERE status = 'requires_confirmation';
