-- The newest replay of a zip code that has not come to its end. $1 zip, $2 mapping version, $3 key of the schema that it loads, '' for the live tables.
SELECT id::text, to_regclass('stage.zip_' || replace(id::text, '-', '')) IS NOT NULL
FROM run
WHERE zip = $1::text AND kind = 'replay' AND state NOT IN ('completed', 'incomplete') AND phase <> 'done'
    AND mapping_version = $2::integer AND coalesce(limits ->> 'into', '') = $3::text
ORDER BY ordinal DESC LIMIT 1
