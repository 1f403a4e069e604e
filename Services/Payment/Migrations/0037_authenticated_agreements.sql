-- When the card's customer was last authenticated for a payment with which they agreed to later ones: one that keeps the method,
-- or that belongs to a subscription or an instalment plan. Charges without the customer rest on it. They do not rest on
-- authenticated_at any more, which any payment has set: what that knows of agreements is not told, so that a card is
-- authenticated for one once more.
ALTER TABLE payment_methods ADD COLUMN agreement_authenticated_at timestamptz;
