-- A statement that tells which zip codes would be lost, or put back to an earlier day. $1 schema.
SELECT format('SELECT format(%L, z.zip) FROM zipcode z WHERE NOT EXISTS (SELECT FROM %I.zipcode n WHERE n.zip = z.zip AND '
    '(z.last_run_id IS NULL OR n.last_run_id >= z.last_run_id))', 'zip code %s is loaded, and its last run is not among what was replayed', $1::text)
