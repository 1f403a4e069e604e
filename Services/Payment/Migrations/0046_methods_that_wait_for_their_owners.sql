-- A method that waits for its owner at the bank is asked about, too: ever more rarely, in real time, and once the owner's
-- time is over, by the business clock. The time of those that wait already begins when they are first asked about.
ALTER TABLE payment_methods
    ADD COLUMN action_expires_at timestamptz,
    ADD COLUMN look_at timestamptz,
    ADD COLUMN looks integer NOT NULL DEFAULT 0;
UPDATE payment_methods SET look_at = now() WHERE status = 'requires_action';
CREATE INDEX payment_methods_waiting ON payment_methods (look_at) WHERE status = 'requires_action';
