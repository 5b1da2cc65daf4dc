-- flow.h tells parameters and answers. Batches that had failed are read again; nothing that was landed is fetched again. A run
-- without its stage tables cannot go on: a later run of the zip code has taken its place.
WITH target AS (
    SELECT id, zip, state, source_url = $2::text AND mapping_version = $3::integer AS same_context,
        (state IN ('failed', 'cancelled')
            OR state = 'incomplete' AND EXISTS (SELECT FROM batch WHERE run_id = run.id AND batch.state = 'failed'))
        AND kind <> 'replay' AND (phase = 'look' OR to_regclass('stage.seen_' || replace(id::text, '-', '')) IS NOT NULL) AS can_go_on
    FROM run WHERE id = $1::uuid
), other AS (
    SELECT FROM run, target WHERE run.zip = target.zip AND run.state IN ('pending', 'running') AND run.kind <> 'replay'
), resumed AS (
    UPDATE run SET state = 'pending', cancel_requested = false, ended_at = NULL, error = NULL, error_code = NULL,
        reconciliation = NULL, progress = progress + 1, owner = NULL, lease_until = NULL, epoch = epoch + 1,
        phase = CASE WHEN phase = 'look' THEN 'look' ELSE 'read' END
    WHERE id = (SELECT id FROM target WHERE same_context AND can_go_on) AND NOT EXISTS (SELECT FROM other)
    RETURNING id
), failed AS (
    UPDATE batch SET state = 'pending', error = NULL FROM resumed
    WHERE batch.run_id = resumed.id AND batch.state = 'failed'
)
SELECT id::text AS run_id,
    CASE WHEN EXISTS (SELECT FROM resumed) THEN 'resumed'
         WHEN state IN ('pending', 'running') OR can_go_on AND EXISTS (SELECT FROM other) THEN 'active'
         WHEN NOT can_go_on THEN 'ended'
         ELSE 'refused' END AS verdict
FROM target
