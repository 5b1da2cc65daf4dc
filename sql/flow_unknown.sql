-- Which of the patients must have their observations read whole: those of whom that has not been done for the zip code. $1 zip,
-- $2 JSON array of ids. In the same order.
SELECT u.id FROM jsonb_array_elements_text($2::jsonb) WITH ORDINALITY AS u (id, n)
WHERE NOT EXISTS (SELECT FROM patient_zip z WHERE z.zip = $1::text AND z.patient_id = u.id COLLATE "C" AND z.whole AND z.moved_at IS NULL)
ORDER BY u.n
