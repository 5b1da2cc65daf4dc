-- A batch that is given up. $1 run id, $2 seq, $3 kind, $4 page, $5 first, $6 patients, $7 why.
INSERT INTO batch (run_id, seq, kind, state, page_seq, first, patients, error, attempts, ended_at)
VALUES ($1::uuid, $2::integer, $3::text, 'failed', $4::integer, $5::integer, $6::integer, $7::text, 1, now())
ON CONFLICT (run_id, seq) DO UPDATE SET state = 'failed', error = excluded.error, attempts = batch.attempts + 1, ended_at = now()
WHERE batch.state = 'pending'
