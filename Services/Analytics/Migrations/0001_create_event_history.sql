-- Every event of every topic, once. The inbox claims the id in the same transaction, so a row is never written twice;
-- the primary key is the second lock on the same door and the keyset of the list.
-- key is the record key: the customer id, but for plans (plan id) and API keys (key id).
-- body is json, not jsonb: it keeps the text as published and costs one scan to check instead of a rebuild.
CREATE TABLE event_history (
    event_id text PRIMARY KEY,
    type text NOT NULL,
    topic text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    time timestamptz NOT NULL,
    body json NOT NULL
);
CREATE INDEX event_history_by_key ON event_history (key, event_id);
CREATE INDEX event_history_by_type ON event_history (type, event_id);
