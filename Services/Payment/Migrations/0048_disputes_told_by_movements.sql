-- Stripe's disputes are told apart by the time of the last money they moved, which is no earlier than their beginning.
UPDATE disputes SET changed_at = opened_at WHERE provider = 'stripe' AND changed_at IS NULL;
