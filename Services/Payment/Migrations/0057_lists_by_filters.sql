-- Whether something the customer has just done brought the current attempt about, though they are not there to authenticate:
-- they wait for Fraud's word as with a payment of their own.
ALTER TABLE payments ADD COLUMN customer_started boolean NOT NULL DEFAULT false;

-- Lists by these go straight to their rows. There is none by status: a payment would touch it at each of its steps.
CREATE INDEX payments_subscription ON payments (subscription_id, id) WHERE subscription_id IS NOT NULL;
CREATE INDEX refunds_customer ON refunds (customer_id, id);
