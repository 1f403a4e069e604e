-- The capture that a dispute is over: no refund is taken from what that has of it. NULL where the charge captured at once,
-- where several captures go by the name that the provider tells, and of disputes that nothing new was told of since.
ALTER TABLE disputes ADD COLUMN capture_id text REFERENCES captures;
