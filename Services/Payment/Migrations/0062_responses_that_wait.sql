-- How often a response to a dispute was to be handed in: its waits double.
ALTER TABLE dispute_responses ADD COLUMN looks integer NOT NULL DEFAULT 0;
