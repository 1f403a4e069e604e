-- How a customer agreed on a link's page that a bank account be debited. The account's number is not here: the provider has
-- it. When and from where they agreed is kept with the payment method.
CREATE TABLE payment_link_mandates (
    payment_method_id text PRIMARY KEY REFERENCES payment_methods,
    holder_name text NOT NULL,
    creditor_name text NOT NULL,
    creditor_id text NOT NULL,
    -- Which wording, in which language.
    terms text NOT NULL,
    language text NOT NULL,
    accepted_at timestamptz NOT NULL
);
