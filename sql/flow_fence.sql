-- The last statement of every transaction that writes for a run: no row when the run has another owner. $1 run id, $2 epoch, $3 attempt of a step
-- that is done alone (flow_take_alone.sql), else 0.
UPDATE run SET progress = progress + 1
WHERE id = $1::uuid AND epoch = $2::bigint AND state = 'running' AND $3::bigint IN (0, attempt)
