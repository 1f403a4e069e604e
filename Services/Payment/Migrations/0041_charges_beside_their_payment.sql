-- A charge whose payment had gone on with another attempt before anybody heard that it took money is a payment of its own.
-- What it was asked for stands here: the payment, and the attempt's number in it; NULL for every other attempt.
ALTER TABLE payment_attempts
    ADD COLUMN asked_for text REFERENCES payments,
    ADD COLUMN asked_number integer,
    ADD CHECK ((asked_for IS NULL) = (asked_number IS NULL));
