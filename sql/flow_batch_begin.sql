-- A batch is about to be read: its row says from now on what its number stands for. No row: the run has another owner, or the number stands
-- for something else. The lock keeps a new owner from loading the batches before this one is among them.
-- $1 run id, $2 seq, $3 kind, $4 page, $5 first, $6 patients, $7 epoch.
WITH mine AS (
    SELECT id FROM run WHERE id = $1::uuid AND epoch = $7::bigint AND state = 'running' FOR SHARE
)
INSERT INTO batch (run_id, seq, kind, state, page_seq, first, patients)
SELECT id, $2::integer, $3::text, 'pending', $4::integer, $5::integer, $6::integer FROM mine
ON CONFLICT (run_id, seq) DO UPDATE SET attempts = batch.attempts
WHERE batch.kind = excluded.kind AND batch.page_seq = excluded.page_seq AND batch.first = excluded.first
