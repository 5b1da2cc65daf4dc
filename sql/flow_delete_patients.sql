-- Tombstones for patients, and a list of them. $1 JSON array of ids.
WITH gone AS (
    UPDATE patient p SET deleted_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
    WHERE p.id = d.id COLLATE "C" AND p.deleted_at IS NULL
    RETURNING p.id
)
INSERT INTO stage.seen_{stage} (type, id) SELECT 'p', id FROM gone
