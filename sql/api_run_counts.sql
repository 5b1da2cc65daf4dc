-- Runs by state, for metrics.
SELECT state, count(*) FROM run GROUP BY state
