-- A run's landed objects, in order. $1 run id.
SELECT kind IN ('patient_page', 'lookup'), object, object_hash, object_bytes, object_raw_bytes, landed, csv_hash, csv_bytes, staged
FROM batch WHERE run_id = $1::uuid AND object IS NOT NULL ORDER BY seq
