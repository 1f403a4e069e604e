-- The invoice that a payment collects was withdrawn: what is let go of the payment ends it for good. Otherwise the invoice is
-- still due, and a payment whose held money is let go has failed.
ALTER TABLE payments ADD COLUMN invoice_voided boolean NOT NULL DEFAULT false;

-- Money that a provider holds for an attempt whose payment had ended before anybody heard of it: when it is released next, in
-- real time, and how often it was tried. NULL where there is none.
ALTER TABLE payment_attempts
    ADD COLUMN release_at timestamptz,
    ADD COLUMN releases integer NOT NULL DEFAULT 0;
CREATE INDEX payment_attempts_to_release ON payment_attempts (release_at) WHERE release_at IS NOT NULL;

-- Held money is looked at now and then: a provider lets go of it, and the news of that may be lost.
CREATE INDEX payments_held ON payments (look_at) WHERE status = 'authorized' AND look_at IS NOT NULL;
UPDATE payments SET look_at = now() + interval '1 day', looks = 0 WHERE status = 'authorized';
-- Of a release it is when the provider is asked again.
UPDATE payments SET look_at = NULL, looks = 0 WHERE status = 'canceling';

-- Customers who do not pass a challenge in time.
CREATE INDEX payments_waiting_for_customers ON payments (action_expires_at) WHERE status = 'requires_action';
