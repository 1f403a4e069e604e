-- How often a provider was to let go of a charge whose customer's time is over, and when it is asked again: its waits double.
ALTER TABLE payments
    ADD COLUMN expiries integer NOT NULL DEFAULT 0,
    ADD COLUMN expire_at timestamptz;
