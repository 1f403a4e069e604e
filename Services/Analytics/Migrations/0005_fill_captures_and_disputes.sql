-- What was kept in the history before there was a table for it.
INSERT INTO captures (capture_id, payment_id, customer_id, amount_minor, currency, captured_at)
SELECT body->>'capture_id', body->>'payment_id', body->>'customer_id', (body->>'amount')::bigint, body->>'currency',
    (body->>'captured_at')::timestamptz
FROM event_history WHERE type = 'payment.captured.v1'
ON CONFLICT DO NOTHING;

INSERT INTO dispute_outcomes (
    event_id, dispute_id, payment_id, customer_id, amount_minor, currency, outcome, closed_at)
SELECT event_id, body->>'dispute_id', body->>'payment_id', body->>'customer_id', (body->>'amount')::bigint,
    body->>'currency', body->>'outcome', (body->>'closed_at')::timestamptz
FROM event_history WHERE type = 'payment.dispute_closed.v1'
ON CONFLICT DO NOTHING;

-- Refunds whose failure was recorded before them bear the time of the failure.
UPDATE refunds r SET refunded_at = h.refunded_at
FROM (SELECT body->>'refund_id' AS refund_id, min((body->>'refunded_at')::timestamptz) AS refunded_at
      FROM event_history WHERE type = 'payment.refunded.v1' GROUP BY 1) h
WHERE r.refund_id = h.refund_id AND r.failed_at IS NOT NULL AND h.refunded_at < r.refunded_at;
