-- Is a batch staged? $1 run id, $2 seq. Its rows.
SELECT staged FROM batch WHERE run_id = $1::uuid AND seq = $2::integer AND state IN ('staged', 'merging', 'merged')
