-- Routing rules by version; the newest counts. A version without a document means: every payment at its method's provider.
CREATE TABLE routing_documents (
    version bigint PRIMARY KEY CHECK (version >= 1),
    document jsonb,
    created_at timestamptz NOT NULL,
    -- Who put it in place: an API key's id, or issuer and subject.
    created_by text NOT NULL
);
CREATE TRIGGER routing_documents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON routing_documents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Providers that an operator took out of routing.
CREATE TABLE providers_down (
    provider text PRIMARY KEY,
    reason text,
    since timestamptz NOT NULL,
    taken_out_by text NOT NULL
);

-- Other providers that can charge a method; the method's own stands in payment_methods.
CREATE TABLE payment_method_tokens (
    payment_method_id text NOT NULL REFERENCES payment_methods,
    provider text NOT NULL,
    token text NOT NULL,
    provider_customer text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (payment_method_id, provider)
);

ALTER TABLE customers
    ADD COLUMN IF NOT EXISTS country text,
    -- For routing rules by customer group.
    ADD COLUMN groups text[] NOT NULL DEFAULT '{}';
-- The leading digits of a card that rules go by: six, or eight of a number of sixteen digits and more.
ALTER TABLE payment_methods ADD COLUMN bin text CHECK (bin ~ '^[0-9]{6,8}$');

ALTER TABLE payment_attempts
    -- Why it went where it went, and what may follow; NULL where nothing was decided.
    ADD COLUMN routing jsonb,
    -- The attempt whose decline or outage it follows, in the same breath and under the same assessment.
    ADD COLUMN cascade_of text,
    -- The network's response code and Mastercard's advice, where the provider passes them on: retry budgets go by them.
    ADD COLUMN network_code text,
    ADD COLUMN advice_code text;

-- A person's look at a payment whose risk is too high to take and too low to refuse; the money is held meanwhile.
ALTER TABLE payments
    ADD COLUMN review_status text CHECK (review_status IN ('pending', 'approved', 'declined')),
    -- Whether approval captures: the payment was to be captured at once.
    ADD COLUMN review_captures boolean NOT NULL DEFAULT false,
    ADD COLUMN review_note text,
    ADD COLUMN reviewed_by text,
    ADD COLUMN reviewed_at timestamptz;
CREATE INDEX payments_in_review ON payments (id) WHERE review_status = 'pending';

-- Several acquirers in the sandbox keep books apart.
ALTER TABLE sandbox_charges ADD COLUMN provider text NOT NULL DEFAULT 'sandbox';
ALTER TABLE sandbox_charges ALTER COLUMN provider DROP DEFAULT;
