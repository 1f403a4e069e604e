-- A plan goes by its customer's default once what it was charged to is taken off them. What was refused to that method, or is
-- under way with it, is told again, so that it is tried with the default at once: by the attempt that it is at, of which the
-- outcome counts. Without a default the next one to come is told of.
CREATE FUNCTION tell_plans_of_gone_method() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO plan_news (payment_id, status, attempts)
    SELECT y.id, 'failed', y.attempts
    FROM instalment_plans p JOIN instalments i ON i.plan_id = p.id JOIN payments y ON y.instalment_id = i.id
    WHERE p.customer_id = NEW.customer_id AND p.status IN ('active', 'late') AND y.payment_method_id = NEW.id
        AND y.status NOT IN ('succeeded', 'canceled') AND EXISTS (
            SELECT 1 FROM payment_methods d WHERE d.customer_id = NEW.customer_id AND d.is_default);
    RETURN NULL;
END $$;
CREATE TRIGGER payment_methods_tell_plans_when_gone AFTER UPDATE OF status ON payment_methods FOR EACH ROW
    WHEN (OLD.status = 'active' AND NEW.status <> 'active')
    EXECUTE FUNCTION tell_plans_of_gone_method();

-- Until now such instalments waited for a new default, though there was one.
INSERT INTO plan_news (payment_id, status, attempts)
SELECT y.id, y.status, y.attempts
FROM instalment_plans p JOIN payment_methods d ON d.customer_id = p.customer_id AND d.is_default
    JOIN instalments i ON i.plan_id = p.id JOIN payments y ON y.instalment_id = i.id
    LEFT JOIN payment_methods n ON n.id = y.payment_method_id AND n.status = 'active'
WHERE p.status IN ('active', 'late') AND y.status = 'failed' AND n.id IS NULL;

-- What a settlement is less than what is owed, and not asked for, since its provider counts coarser than the currency. It is
-- part of the rebate.
ALTER TABLE instalment_settlements ADD COLUMN rounding bigint NOT NULL DEFAULT 0
    CHECK (rounding BETWEEN 0 AND rebate);
