-- Tombstones for observations by id, and a list of them. $1 JSON array of ids.
WITH gone AS (
    UPDATE observation o SET deleted_at = now() FROM jsonb_array_elements_text($1::jsonb) AS d (id)
    WHERE o.id = d.id COLLATE "C" AND o.deleted_at IS NULL
    RETURNING o.id
)
INSERT INTO stage.seen_{stage} (type, id) SELECT 'd', id FROM gone
