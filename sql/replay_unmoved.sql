-- Who lives in the zip code has not moved away, whatever another zip code's runs say. $1 zip.
UPDATE patient p SET moved_at = NULL FROM stage.zip_{stage} s
WHERE p.id = s.patient_id AND p.moved_at IS NOT NULL
    AND EXISTS (SELECT FROM patient_zip z WHERE z.zip = $1::text AND z.patient_id = p.id AND z.moved_at IS NULL)
