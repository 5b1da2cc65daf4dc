-- Earlier runs of the zip code that nobody will resume once $1 has begun, but whose stage tables are still there. $2 zip.
SELECT id::text FROM run WHERE zip = $2::text AND id <> $1::uuid AND state NOT IN ('pending', 'running')
    AND to_regclass('stage.seen_' || replace(id::text, '-', '')) IS NOT NULL
