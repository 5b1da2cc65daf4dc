-- Runs that write into the live tables now.
SELECT format('run %s of zip code %s is under way', id, zip) FROM run WHERE state IN ('pending', 'running') AND kind <> 'replay'
