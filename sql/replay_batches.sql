-- What a replay has done: its batches are the landed objects. $1 run id.
SELECT seq, state, staged, object FROM batch WHERE run_id = $1::uuid ORDER BY seq
