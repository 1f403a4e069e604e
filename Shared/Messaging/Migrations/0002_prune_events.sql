-- What was deleted for its age, so that published and handled events can be compared over all time.
CREATE TABLE pruned_events (
    side text NOT NULL CHECK (side IN ('published', 'handled')),
    type text NOT NULL,
    count bigint NOT NULL,
    id_sum numeric NOT NULL,
    PRIMARY KEY (side, type)
);
CREATE INDEX inbox_handled ON inbox USING brin (handled_at);
