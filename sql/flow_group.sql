-- Patients $3 (from 0) … $3 + $4 - 1 of page $2. $1 run id.
SELECT unnest(patient_ids[$3::integer + 1 : $3::integer + $4::integer]) FROM batch WHERE run_id = $1::uuid AND seq = $2::integer
