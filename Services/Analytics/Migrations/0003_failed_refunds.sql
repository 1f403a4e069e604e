-- A refund that failed after it was booked counts until then.
ALTER TABLE refunds ADD COLUMN failed_at timestamptz;
