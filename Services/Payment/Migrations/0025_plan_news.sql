-- What instalment plans have to hear of, written where it happens and in its transaction. A row is gone when its plan has
-- heard, in the transaction of what the plan makes of it: it counts once.
CREATE TABLE plan_news (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A payment of a plan that has come to an end, for good or for now, in so many attempts.
    payment_id text,
    status text,
    attempts integer,
    -- A customer with unpaid instalments whose default method is a new one.
    customer_id text,
    CHECK (num_nonnulls(payment_id, customer_id) = 1),
    CHECK (num_nonnulls(payment_id, status, attempts) IN (0, 3))
);

CREATE FUNCTION tell_plan_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO plan_news (payment_id, status, attempts) VALUES (NEW.id, NEW.status, NEW.attempts);
    RETURN NULL;
END $$;
CREATE TRIGGER payments_tell_plan AFTER UPDATE OF status ON payments FOR EACH ROW
    WHEN (NEW.instalment_id IS NOT NULL AND NEW.status IS DISTINCT FROM OLD.status
        AND NEW.status IN ('succeeded', 'failed', 'canceled'))
    EXECUTE FUNCTION tell_plan_of_payment();
CREATE TRIGGER payments_tell_plan_at_once AFTER INSERT ON payments FOR EACH ROW
    WHEN (NEW.instalment_id IS NOT NULL AND NEW.status = 'failed')
    EXECUTE FUNCTION tell_plan_of_payment();

CREATE FUNCTION tell_plans_of_method() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO plan_news (customer_id) SELECT NEW.customer_id WHERE EXISTS (
        SELECT 1 FROM instalment_plans p WHERE p.customer_id = NEW.customer_id AND p.status IN ('active', 'late'));
    RETURN NULL;
END $$;
CREATE TRIGGER payment_methods_tell_plans AFTER UPDATE OF is_default ON payment_methods FOR EACH ROW
    WHEN (NEW.is_default AND NOT OLD.is_default)
    EXECUTE FUNCTION tell_plans_of_method();
CREATE TRIGGER payment_methods_tell_plans_at_once AFTER INSERT ON payment_methods FOR EACH ROW
    WHEN (NEW.is_default)
    EXECUTE FUNCTION tell_plans_of_method();

-- Until now plans heard by events. What was published and not yet heard is told again, of plans that still wait for it.
INSERT INTO plan_news (payment_id, status, attempts)
SELECT y.id, y.status, y.attempts FROM instalment_plans p JOIN payments y ON y.id = p.awaited_payment_id
WHERE y.status IN ('succeeded', 'failed', 'canceled');
