-- A capture that its provider looks at before it takes the money: when it is asked about next, and how often it was.
ALTER TABLE captures
    ADD COLUMN look_at timestamptz,
    ADD COLUMN looks integer NOT NULL DEFAULT 0;
