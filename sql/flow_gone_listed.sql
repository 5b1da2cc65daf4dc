-- How many of the observations that the source's history calls deleted are here. $1 JSON array of ids.
SELECT count(*) FROM observation o JOIN jsonb_array_elements_text($1::jsonb) AS d (id) ON o.id = d.id COLLATE "C"
WHERE o.deleted_at IS NULL
