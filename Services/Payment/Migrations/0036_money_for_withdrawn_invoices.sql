-- Payments of withdrawn invoices that have money to give back.
CREATE INDEX payments_of_withdrawn_invoices ON payments (id)
    WHERE invoice_voided AND amount_captured > amount_refunded + amount_disputed;
