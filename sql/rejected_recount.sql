-- How much is loaded of the zip codes that have replayed resources. $1 run or NULL, $2 zip or NULL.
UPDATE zipcode z SET
    patients = (SELECT count(*) FROM patient_zip p WHERE p.zip = z.zip AND p.moved_at IS NULL),
    observations = (SELECT count(*) FROM observation o JOIN patient_zip p ON p.patient_id = o.patient_id
        WHERE p.zip = z.zip AND p.moved_at IS NULL AND o.deleted_at IS NULL)
WHERE ($2::text IS NULL OR z.zip = $2::text)
    AND z.zip IN (SELECT zip FROM rejected_resource WHERE replayed_at IS NOT NULL AND ($1::uuid IS NULL OR run_id = $1::uuid))
