-- Disputes are listed by when their evidence has to be in; few await any.
CREATE INDEX disputes_due ON disputes (evidence_due_by, id) WHERE evidence_due_by IS NOT NULL;
