-- Tombstones for observations that the source no longer lists, and a list of them. $1 zip.
WITH gone AS (
    UPDATE observation o SET deleted_at = now() FROM patient_zip z
    WHERE z.patient_id = o.patient_id AND z.zip = $1::text AND z.moved_at IS NULL AND o.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM stage.seen_{stage} s WHERE s.type = 'O' AND s.id = o.id)
        AND EXISTS (SELECT FROM stage.seen_{stage} p WHERE p.type = 'P' AND p.id = o.patient_id)
    RETURNING o.id
)
INSERT INTO stage.seen_{stage} (type, id) SELECT 'd', id FROM gone
