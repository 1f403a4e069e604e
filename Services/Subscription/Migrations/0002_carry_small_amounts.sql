-- The balance may be below zero: what was too little to be asked for, added to the next billing.
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_credit_check;
