-- What the plan was to become at the period's end before an immediate change: planned again when that is not paid.
ALTER TABLE billings ADD COLUMN origin_pending_plan_id text REFERENCES plans;
