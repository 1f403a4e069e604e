-- Payments by what their merchants know them by. Written once with a payment, whose row changes often: an index over its
-- metadata would be written with every step. A payment without metadata has no row here.
CREATE TABLE payment_metadata (
    key text NOT NULL,
    value text NOT NULL,
    payment_id text NOT NULL REFERENCES payments,
    PRIMARY KEY (key, value, payment_id)
);
INSERT INTO payment_metadata (key, value, payment_id)
SELECT m.key, m.value, p.id FROM payments p, jsonb_each_text(p.metadata) AS m WHERE p.metadata <> '{}';
