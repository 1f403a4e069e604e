-- A stored method belongs to the provider that knows its token; an attempt goes to the provider of its method.
ALTER TABLE payment_methods
    ADD COLUMN provider text NOT NULL DEFAULT 'sandbox',
    -- What the provider knows the customer by, where it does.
    ADD COLUMN provider_customer text;
ALTER TABLE payment_methods ALTER COLUMN provider DROP DEFAULT;
-- Of the current attempt; 'none' where there was nothing to charge.
ALTER TABLE payments ADD COLUMN provider text NOT NULL DEFAULT 'sandbox';
ALTER TABLE payments ALTER COLUMN provider DROP DEFAULT;
