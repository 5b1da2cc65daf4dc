-- Runs whose objects are needed, and why. $1 a zip code, or NULL for all. A live row whose patient lives in the zip code is in every later full
-- run as well; one whose patient has left, or that another zip code's run has written, may be in its own run alone.
SELECT run.id::text, 'rejected resources that are not yet replayed'
FROM run WHERE ($1::text IS NULL OR run.zip = $1::text) AND EXISTS (
    SELECT FROM rejected_resource r WHERE r.replayed_at IS NULL
        AND (r.run_id = run.id OR r.object LIKE 'zip=' || run.zip || '/run=' || run.id || '/%'))
UNION ALL
SELECT run.id::text, 'live rows of patients who have left'
FROM run WHERE ($1::text IS NULL OR run.zip = $1::text) AND (EXISTS (
    SELECT FROM patient p WHERE p.run_id = run.id AND p.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = p.id AND z.zip = run.zip AND z.moved_at IS NULL))
    OR EXISTS (
    SELECT FROM observation o WHERE o.run_id = run.id AND o.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM patient_zip z WHERE z.patient_id = o.patient_id AND z.zip = run.zip AND z.moved_at IS NULL)))
UNION ALL
SELECT id::text, 'it has not ended'
FROM run WHERE ($1::text IS NULL OR zip = $1::text) AND state IN ('pending', 'running')
