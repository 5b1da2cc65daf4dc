-- Patients whose observations have now been read whole, and none rejected. $1 run id, $2 zip.
UPDATE patient_zip z SET whole = true
FROM (
    SELECT unnest(p.patient_ids[g.first + 1 : g.first + g.patients]) AS id
    FROM batch g JOIN batch p ON p.run_id = g.run_id AND p.seq = g.page_seq
    WHERE g.run_id = $1::uuid AND g.kind = 'observations' AND g.state = 'merged' AND g.missing = 0 AND g.rejected = 0
) AS done
WHERE z.zip = $2::text AND z.patient_id = done.id COLLATE "C" AND NOT z.whole
