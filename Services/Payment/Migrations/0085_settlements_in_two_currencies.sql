-- What was captured in parts that were exchanged into two currencies tells no sum of them: its captures tell theirs.
UPDATE payments p SET settlement_amount = NULL
WHERE settlement_amount IS NOT NULL AND EXISTS (
    SELECT 1 FROM exchange_movements m
    WHERE m.payment_id = p.id AND m.amount > 0 AND NOT m.returned AND m.settlement_currency <> p.settlement_currency);
