-- A link over an open invoice: its payment is the invoice's, which is there before anybody visits. An invoice may have several
-- links, so that a payment may be that of several.
ALTER TABLE payment_links ADD COLUMN invoice_id text;
CREATE INDEX payment_links_invoice ON payment_links (invoice_id, id) WHERE invoice_id IS NOT NULL;
ALTER TABLE payment_link_payments DROP CONSTRAINT payment_link_payments_pkey;
DROP INDEX payment_link_payments_link;
ALTER TABLE payment_link_payments ADD PRIMARY KEY (link_id, payment_id);
CREATE INDEX payment_link_payments_payment ON payment_link_payments (payment_id);
