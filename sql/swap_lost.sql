-- A statement that tells which zip codes would be lost, or put back to an earlier day. $1 schema.
SELECT format('SELECT format(CASE WHEN n.last_run_id >= z.last_run_id THEN %L ELSE %L END, z.zip) FROM zipcode z LEFT JOIN %I.zipcode n ON n.zip = z.zip '
    'WHERE n.zip IS NULL OR n.last_run_id < z.last_run_id OR n.watermark IS NULL AND z.watermark IS NOT NULL', 'zip code %s is whole in the live tables, and not in what was replayed',
    'zip code %s is loaded, and its last run is not among what was replayed', $1::text)
