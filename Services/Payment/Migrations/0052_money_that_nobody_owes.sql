-- What a payment took is to be given back although its invoice stays paid: its subscription had ended.
ALTER TABLE payments ADD COLUMN give_back boolean NOT NULL DEFAULT false;
CREATE INDEX payments_to_give_back ON payments (id)
    WHERE (invoice_voided OR give_back) AND amount_captured > amount_refunded + amount_disputed;
DROP INDEX payments_of_withdrawn_invoices;
