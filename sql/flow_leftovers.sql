-- Earlier runs of the zip code that nobody will resume once $1 has begun. $2 zip.
SELECT id::text FROM run WHERE zip = $2::text AND id <> $1::uuid AND state IN ('failed', 'cancelled') AND phase <> 'done'
