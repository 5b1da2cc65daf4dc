-- Are there renamed stages whose merge was cut off? $1 run id.
SELECT EXISTS (SELECT FROM batch WHERE run_id = $1::uuid AND state = 'merging')
