-- Where a page goes on, and the server's count when its chain began. $1 run id, $2 seq.
SELECT next_url, (extract(epoch FROM seen_until) * 1e6)::bigint, expected FROM batch WHERE run_id = $1::uuid AND seq = $2::integer
