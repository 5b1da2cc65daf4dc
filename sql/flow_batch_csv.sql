-- The CSV beside a batch's object, in the transaction that staged its rows. $1 run, $2 batch, $3 hash, $4 bytes.
UPDATE batch SET csv_hash = $3::text, csv_bytes = $4::bigint WHERE run_id = $1::uuid AND seq = $2::integer
