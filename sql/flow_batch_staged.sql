-- A batch's checkpoint, in the transaction that staged its rows. $18 patient ids as a JSON array, or NULL; $19 next; $20 seen until, us; $21 raw bytes.
INSERT INTO batch (run_id, seq, kind, state, page_seq, first, patients, object, object_hash, object_bytes, object_raw_bytes,
    fetched, landed, staged, rejected, elsewhere, missing, expected, patient_ids, next_url, seen_until, attempts, ended_at)
VALUES ($1::uuid, $2::integer, $3::text, 'staged', $4::integer, $5::integer, $6::integer, $7::text, $8::text, $9::bigint, $21::bigint,
    $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::bigint, $15::bigint, $16::bigint,
    CASE WHEN $18::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text($18::jsonb)) END, $19::text,
    to_timestamp($20::bigint / 1e6), $17::integer, now())
ON CONFLICT (run_id, seq) DO UPDATE SET state = 'staged', error = NULL, patients = excluded.patients, object = excluded.object,
    object_hash = excluded.object_hash, object_bytes = excluded.object_bytes,
    object_raw_bytes = excluded.object_raw_bytes, fetched = excluded.fetched,
    landed = excluded.landed, staged = excluded.staged, rejected = excluded.rejected, elsewhere = excluded.elsewhere,
    missing = excluded.missing, expected = excluded.expected, patient_ids = excluded.patient_ids,
    next_url = excluded.next_url, seen_until = excluded.seen_until, attempts = batch.attempts + excluded.attempts,
    ended_at = excluded.ended_at, csv_hash = NULL, csv_bytes = NULL
WHERE batch.state IN ('pending', 'failed')
