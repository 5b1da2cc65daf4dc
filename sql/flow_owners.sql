-- Who owns runs now.
SELECT DISTINCT owner FROM run WHERE state = 'running' AND owner IS NOT NULL AND lease_until >= clock_timestamp()
