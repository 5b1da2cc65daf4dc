-- Does the session see a table of observations that has no key yet, and so no rows?
SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'observation'::regclass AND contype = 'p')
