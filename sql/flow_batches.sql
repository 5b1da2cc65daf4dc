-- What is known of a run's batches. $1 run id.
SELECT seq, kind, state, page_seq, first, patients, staged, next_url IS NOT NULL FROM batch WHERE run_id = $1::uuid ORDER BY seq
