-- The newest payments of a link are read with every look at it: without this all links' payments were gone through.
CREATE INDEX payment_link_payments_link ON payment_link_payments (link_id, payment_id);
