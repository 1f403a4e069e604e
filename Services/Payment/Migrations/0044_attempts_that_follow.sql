-- A further attempt was asked for while the provider was to let go of the last one: it begins once that has.
ALTER TABLE payments ADD COLUMN collect_again boolean NOT NULL DEFAULT false;

-- Whether an attempt's money was to be captured at once or held, once another follows it: the payment's own word is then that
-- of the next. NULL while none follows, and for what was followed before this was kept.
ALTER TABLE payment_attempts ADD COLUMN capture_method text CHECK (capture_method IN ('automatic', 'manual'));
