-- The fate of a portion. $1 JSON array of numbers that are replayed, $2 JSON array of {id, reason, pointer} of those still rejected.
WITH replayed AS (
    UPDATE rejected_resource SET replayed_at = now()
    WHERE id IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb))
)
UPDATE rejected_resource r SET reason = s.reason, pointer = s.pointer
FROM jsonb_to_recordset($2::jsonb) AS s (id bigint, reason text, pointer text)
WHERE r.id = s.id AND (r.reason, r.pointer) IS DISTINCT FROM (s.reason, s.pointer)
