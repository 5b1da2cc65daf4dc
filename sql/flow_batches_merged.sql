UPDATE batch SET state = 'merged' WHERE run_id = $1::uuid AND state = 'merging'
