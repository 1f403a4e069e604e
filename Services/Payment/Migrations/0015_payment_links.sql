-- Links that a customer opens to pay. Whether one is completed or expired follows from its payments and the clock, so that
-- it cannot disagree with them.
CREATE TABLE payment_links (
    id text PRIMARY KEY,
    -- What a person types: no letter or digit that looks like another.
    code text NOT NULL UNIQUE CHECK (code ~ '^[2-9A-HJKMNP-TV-Z]{8}$'),
    customer_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    description text,
    methods text[] NOT NULL CHECK (cardinality(methods) > 0),
    brand_name text,
    logo_url text,
    accent_color text CHECK (accent_color ~ '^#[0-9a-f]{6}$'),
    background_color text CHECK (background_color ~ '^#[0-9a-f]{6}$'),
    -- NULL: the browser's.
    language text,
    success_url text,
    cancel_url text,
    -- How often it may be paid; NULL sets no limit.
    max_uses integer CHECK (max_uses >= 1),
    metadata jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX payment_links_customer ON payment_links (customer_id, id);

-- Cards given on a link's page. Only these can be charged through it, and only by the page they were given on.
CREATE TABLE payment_link_cards (
    payment_method_id text PRIMARY KEY,
    link_id text NOT NULL REFERENCES payment_links,
    session text NOT NULL,
    -- Real time: how many cards a link takes in an hour goes by it.
    stored_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_link_cards_link ON payment_link_cards (link_id, stored_at);

-- A use of a link and its payment. A link for one payment has one slot, other links have one for each visit; the payment of
-- a slot is tried again, and replaced only when it was cancelled.
CREATE TABLE payment_link_payments (
    payment_id text PRIMARY KEY REFERENCES payments DEFERRABLE INITIALLY DEFERRED,
    link_id text NOT NULL REFERENCES payment_links,
    slot text NOT NULL,
    session text NOT NULL,
    replaced boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX payment_link_payments_slot ON payment_link_payments (link_id, slot) WHERE NOT replaced;
