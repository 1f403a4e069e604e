-- Whom an invoice is addressed to, as known when it was issued; NULL where the customer was not known then, and on invoices of
-- releases before this.
ALTER TABLE invoices
    ADD COLUMN bill_to_name text,
    ADD COLUMN bill_to_email text,
    ADD COLUMN bill_to_country text;
