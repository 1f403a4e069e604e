-- An attempt that the customer makes with a method of their own, as on the page of an invoice's link, and what was planned when it
-- began: its failure changes no plan. NULL as long as there is none.
ALTER TABLE billings
    ADD COLUMN own_attempt bigint,
    ADD COLUMN own_method_id text,
    ADD COLUMN planned_at timestamptz;
