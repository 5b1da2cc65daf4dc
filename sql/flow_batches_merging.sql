UPDATE batch SET state = 'merging' WHERE run_id = $1::uuid AND state = 'staged'
