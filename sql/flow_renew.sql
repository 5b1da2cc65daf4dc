-- Renews leases. $1 run ids, $2 epochs, $3 lease in ms. A run that does not come back has another owner or has ended.
UPDATE run SET lease_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
FROM unnest($1::uuid[], $2::bigint[]) AS mine (id, epoch)
WHERE run.id = mine.id AND run.epoch = mine.epoch AND run.state = 'running'
RETURNING run.id::text, run.cancel_requested, run.epoch
