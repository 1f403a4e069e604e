-- Whether no provider has heard of an attempt, for certain: it may be asked for as if for the first time, and counts in no
-- network's retry budget.
ALTER TABLE payment_attempts ADD COLUMN unsent boolean NOT NULL DEFAULT false;

-- Cards that were refused: only of those is there a history to look at before they are charged again.
CREATE INDEX payment_attempts_refused ON payment_attempts (payment_method_id) WHERE status = 'failed';
