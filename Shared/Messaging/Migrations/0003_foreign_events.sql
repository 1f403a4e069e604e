-- What a person has found to come from nobody: it is not counted among what was handled, however often it is delivered.
ALTER TABLE parked_events DROP CONSTRAINT parked_events_status_check;
ALTER TABLE parked_events ADD CONSTRAINT parked_events_status_check
    CHECK (status IN ('parked', 'requeued', 'discarded', 'foreign'));
