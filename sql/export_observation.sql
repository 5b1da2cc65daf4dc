-- All observations of the patients that live in a zip code now, patient by patient, newest first. $1 zip code. LATERAL, so that the two
-- indexes give most of the order and no more than a patient's observations need to be sorted before the first row. The order is asked for
-- as a whole all the same: a plan that joins otherwise loses that of the inner query.
SELECT {observation}
FROM patient_zip z
JOIN patient p ON p.id = z.patient_id
CROSS JOIN LATERAL (
    SELECT * FROM observation WHERE patient_id = z.patient_id AND deleted_at IS NULL ORDER BY effective_at DESC NULLS LAST, id
) o
WHERE z.zip = $1::text AND z.moved_at IS NULL AND p.deleted_at IS NULL
ORDER BY z.patient_id, o.effective_at DESC NULLS LAST, o.id
