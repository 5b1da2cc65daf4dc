-- The same, newest first (flow.h). $1 zip, $2 state, $3 before this ordinal: each may be NULL; $4 at most so many.
SELECT * FROM run_report
WHERE ($1::text IS NULL OR zip = $1::text) AND ($2::text IS NULL OR state = $2::text)
    AND ($3::bigint IS NULL OR ordinal < $3::bigint)
ORDER BY ordinal DESC
LIMIT $4::bigint
