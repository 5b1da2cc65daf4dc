-- Earlier replays of the zip code that will not be gone on with. $1 zip, $2 the one that takes their place.
UPDATE run SET state = 'failed', phase = 'done', owner = NULL, lease_until = NULL, ended_at = now(), progress = progress + 1,
    error_code = 'conflict', error = 'a later replay took its place'
WHERE zip = $1::text AND kind = 'replay' AND id <> $2::uuid AND state NOT IN ('completed', 'incomplete') AND phase <> 'done'
RETURNING id::text
