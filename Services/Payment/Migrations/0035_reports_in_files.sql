-- Up to when a provider's reports have come in files: the time of their latest line. It was looked for among all lines.
ALTER TABLE settlement_cursors ADD COLUMN files_until timestamptz;
UPDATE settlement_cursors c SET files_until = f.until
FROM (SELECT s.provider, max(s.occurred_at) AS until
      FROM settlement_lines s JOIN reconciliation_runs r ON r.id = s.run_id WHERE r.source = 'file' GROUP BY 1) AS f
WHERE f.provider = c.provider;

-- Lines that nobody has looked at yet are asked for all the time, and are few.
CREATE INDEX settlement_lines_untried ON settlement_lines (provider) WHERE state = 'open' AND tried_at IS NULL;
