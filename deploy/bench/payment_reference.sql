-- The reference of the payment benchmark, for pgbench: the statements of all services for one payment through the
-- API, one payment at a time, in the same transactions and with the same durability. What the services save by
-- handling many payments in one transaction, and what they lose to HTTP, Kafka and five processes, shows in the ratio.
--
-- A colon before a word or a digit would be a variable to pgbench, in texts too: hence the spaces in the JSON.
-- Left out: moving the relays' marker, which one script per client would turn into a lock that all wait for.
\set customer random(1, :customers)
\set a random(1, 1000000000000)
\set b random(1, 1000000000000)
\set id (:a * 1000 + :client_id)

-- 1 Payment: claim the idempotency key, find the card, record the intent.
BEGIN;
INSERT INTO payment.idempotency_keys (scope, key, operation, request_hash, status, resource_id, created_at, expires_at)
VALUES ('key_reference', 'i' || :id || '_' || :b, 'POST /v1/payments', decode(md5('a') || md5('b'), 'hex'), 'open',
    'pay_' || :id, now(), now() + interval '1 day') ON CONFLICT DO NOTHING;
SELECT c.id, m.id, m.fingerprint, m.provider FROM payment.customers c
JOIN payment.payment_methods m ON m.customer_id = c.id AND m.is_default WHERE c.id = 'bench_' || :customer;
WITH p AS (
    INSERT INTO payment.payments (id, customer_id, payment_method_id, provider, amount, currency, status, description, metadata,
        off_session, attempt_id, customer_started, created_at)
    VALUES ('pay_' || :id, 'bench_' || :customer, 'pm_' || :customer, 'sandbox', 999, 'USD', 'created', 'reference', '{}', false,
        'att_' || :id, false, now())
    RETURNING id, attempt_id, payment_method_id, provider, created_at)
INSERT INTO payment.payment_attempts (id, payment_id, number, payment_method_id, provider, status, started_at)
SELECT attempt_id, id, 1, payment_method_id, provider, 'started', created_at FROM p;
INSERT INTO payment.outbox (id, type, topic, key, time, body)
VALUES ('evt_a' || :id, 'payment.created.v1', 'refrain.payments', 'bench_' || :customer, now(),
    '{"payment_id":"pay_' || :id || '","attempt_id":"att_' || :id || '","attempt": 1,"customer_id":"bench_' || :customer
    || '","payment_method_id":"pm_' || :customer || '","fingerprint":"' || md5('f') || '","amount": 999,'
    || '"currency":"USD","off_session": false,"created_at":"2026-01-01"}');
COMMIT;

-- 2 Fraud: claim the event, store the assessment.
BEGIN;
INSERT INTO fraud.inbox (event_id, consumer, type) VALUES ('evt_a' || :id, 'fraud', 'payment.created.v1')
ON CONFLICT DO NOTHING;
INSERT INTO fraud.assessments (id, payment_id, attempt, attempt_id, customer_id, currency, amount, score, decision,
    risk_level, reasons, card_hour, card_day, customer_hour, customer_day, model, created_at)
VALUES ('fra_' || :id, 'pay_' || :id, 1, 'att_' || :id, 'bench_' || :customer, 'USD', 999, 0.12, 'approve', 'low', '{}',
    1, 1, 1, 1, 'rules-1', now());
INSERT INTO fraud.outbox (id, type, topic, key, time, body)
VALUES ('evt_b' || :id, 'fraud.assessed.v1', 'refrain.fraud', 'bench_' || :customer, now(),
    '{"assessment_id":"fra_' || :id || '","payment_id":"pay_' || :id || '","attempt_id":"att_' || :id
    || '","score":"0.1200","decision":"approve","reasons":[],"created_at":"2026-01-01"}');
COMMIT;

-- 3 Payment: the verdict; from here on the provider may be asked.
BEGIN;
INSERT INTO payment.inbox (event_id, consumer, type) VALUES ('evt_b' || :id, 'payment', 'fraud.assessed.v1')
ON CONFLICT DO NOTHING;
UPDATE payment.payments SET status = 'processing', stepped_at = now(), risk_score = '0.1200', risk_decision = 'approve'
WHERE id = 'pay_' || :id AND attempt_id = 'att_' || :id AND status = 'created';
COMMIT;

-- 4 The sandbox provider keeps books of its own.
INSERT INTO payment.sandbox_charges (provider, idempotency_key, reference, amount, currency, outcome, captured)
VALUES ('sandbox', 'att_' || :id, 'ch_' || :id, 999, 'USD', 'succeeded', 999) ON CONFLICT DO NOTHING;

-- 5 Payment: the outcome, the ledger, the event, the answer.
BEGIN;
UPDATE payment.payments SET status = 'succeeded', amount_captured = amount, stepped_at = now()
WHERE id = 'pay_' || :id AND attempt_id = 'att_' || :id AND status = 'processing';
UPDATE payment.payment_attempts SET status = 'succeeded', provider_reference = 'ch_' || :id, ended_at = now()
WHERE id = 'att_' || :id;
INSERT INTO payment.journal_entries (id, kind, reference, payment_id, occurred_at)
VALUES ('je_' || :id, 'payment', 'att_' || :id, 'pay_' || :id, now());
INSERT INTO payment.journal_lines (entry_id, position, account, currency, amount, occurred_at)
VALUES ('je_' || :id, 1, 'assets' || chr(58) || 'provider' || chr(58) || 'sandbox', 'USD', 999, now()),
    ('je_' || :id, 2, 'income' || chr(58) || 'customer_payments', 'USD', -999, now());
INSERT INTO payment.outbox (id, type, topic, key, time, body)
VALUES ('evt_c' || :id, 'payment.succeeded.v1', 'refrain.payments', 'bench_' || :customer, now(),
    '{"payment_id":"pay_' || :id || '","attempt_id":"att_' || :id || '","attempt": 1,"customer_id":"bench_' || :customer
    || '","amount": 999,"currency":"USD","succeeded_at":"2026-01-01"}');
UPDATE payment.idempotency_keys SET status = 'closed', response_status = 201, response_body = repeat('x', 600)
WHERE scope = 'key_reference' AND key = 'i' || :id || '_' || :b AND status = 'open';
COMMIT;

-- 6 Subscription hears of every attempt, Invoice of every success.
INSERT INTO subscription.inbox (event_id, consumer, type) VALUES ('evt_a' || :id, 'subscription', 'payment.created.v1')
ON CONFLICT DO NOTHING;
INSERT INTO invoice.inbox (event_id, consumer, type) VALUES ('evt_c' || :id, 'invoice', 'payment.succeeded.v1')
ON CONFLICT DO NOTHING;

-- 7 Analytics hears of everything.
BEGIN;
INSERT INTO analytics.inbox (event_id, consumer, type)
VALUES ('evt_a' || :id, 'analytics', 'payment.created.v1'), ('evt_b' || :id, 'analytics', 'fraud.assessed.v1'),
    ('evt_c' || :id, 'analytics', 'payment.succeeded.v1') ON CONFLICT DO NOTHING;
INSERT INTO analytics.event_history (event_id, type, topic, source, key, time, body)
VALUES ('evt_a' || :id, 'payment.created.v1', 'refrain.payments', 'payment', 'bench_' || :customer, now(),
        '{"payment_id":"pay","attempt_id":"att","attempt": 1,"customer_id":"bench","amount": 999,"currency":"USD"}'),
    ('evt_b' || :id, 'fraud.assessed.v1', 'refrain.fraud', 'fraud', 'bench_' || :customer, now(),
        '{"assessment_id":"fra","payment_id":"pay","attempt_id":"att","score":"0.1200","decision":"approve"}'),
    ('evt_c' || :id, 'payment.succeeded.v1', 'refrain.payments', 'payment', 'bench_' || :customer, now(),
        '{"payment_id":"pay","attempt_id":"att","attempt": 1,"customer_id":"bench","amount": 999,"currency":"USD"}');
INSERT INTO analytics.payments AS p (payment_id, customer_id, amount_minor, currency, attempts, status, progress,
    first_attempt, first_outcome_at, succeeded_at)
VALUES ('pay_' || :id, 'bench_' || :customer, 999, 'USD', 1, 'succeeded', 3, 'succeeded', now(), now())
ON CONFLICT (payment_id) DO UPDATE SET status = excluded.status, succeeded_at = excluded.succeeded_at;
COMMIT;
