-- flow.h tells parameters and answers.
WITH same_key AS (
    SELECT id FROM run WHERE idempotency_key = $7::text
), active AS (
    SELECT id FROM run WHERE zip = $2::text AND state IN ('pending', 'running') AND kind <> 'replay'
), newest AS (
    SELECT id, state, phase, source_url = $3::text AND mapping_version = $4::integer AS same_context
    FROM run WHERE zip = $2::text AND kind <> 'replay' ORDER BY ordinal DESC LIMIT 1
), resumable AS (
    SELECT id, same_context FROM newest WHERE state IN ('failed', 'cancelled') AND phase <> 'done' AND NOT $8::boolean
), resumed AS (
    UPDATE run SET state = 'pending', cancel_requested = false, ended_at = NULL, error = NULL, error_code = NULL,
        reconciliation = NULL, progress = progress + 1, allow_mass_delete = allow_mass_delete OR $6::boolean,
        owner = NULL, lease_until = NULL, epoch = epoch + 1,
        phase = CASE WHEN EXISTS (SELECT FROM batch WHERE run_id = run.id AND batch.state = 'failed') THEN 'read' ELSE phase END
    WHERE id = (SELECT id FROM resumable WHERE same_context)
        AND NOT EXISTS (SELECT FROM same_key) AND NOT EXISTS (SELECT FROM active)
    RETURNING id
), again AS ( -- what had failed is read again, or a run given up for too many of them would be so at once
    UPDATE batch SET state = 'pending', error = NULL FROM resumed
    WHERE batch.run_id = resumed.id AND batch.state = 'failed'
), created AS (
    INSERT INTO run (id, zip, source_url, mapping_version, kind, state, since, allow_mass_delete, idempotency_key)
    SELECT $1::uuid, $2::text, $3::text, $4::integer,
        CASE WHEN z.watermark IS NOT NULL THEN 'incremental' ELSE 'full' END, 'pending', z.watermark,
        $6::boolean, $7::text
    FROM (VALUES (1)) AS one
    LEFT JOIN zipcode z ON z.zip = $2::text AND z.source_url = $3::text AND z.mapping_version = $4::integer
        AND $5::text = 'auto'
    WHERE NOT EXISTS (SELECT FROM same_key) AND NOT EXISTS (SELECT FROM active) AND NOT EXISTS (SELECT FROM resumable)
    RETURNING id
), counts AS (
    INSERT INTO run_count (run_id, resource_type)
    SELECT id, t FROM created, unnest(ARRAY['Patient', 'Observation']) AS t
)
SELECT id::text AS run_id, 'same_key' AS verdict FROM same_key
UNION ALL SELECT id::text, 'active' FROM active WHERE NOT EXISTS (SELECT FROM same_key)
UNION ALL SELECT id::text, 'resumed' FROM resumed
UNION ALL SELECT id::text, 'refused' FROM resumable
    WHERE NOT same_context AND NOT EXISTS (SELECT FROM same_key) AND NOT EXISTS (SELECT FROM active)
UNION ALL SELECT id::text, 'created' FROM created
LIMIT 1
