-- Which ids the run's chains gave before. $1 run id. Rows with an id: a patient of that page; rows without: how many the kind gave besides.
SELECT 'patient_page' AS kind, unnest(patient_ids) AS id, 0::bigint AS n FROM batch WHERE run_id = $1::uuid AND kind = 'patient_page'
UNION ALL
SELECT kind, NULL, sum(CASE WHEN kind = 'patient_page' THEN fetched + elsewhere - patients ELSE fetched + elsewhere END)::bigint
FROM batch WHERE run_id = $1::uuid AND kind IN ('patient_page', 'id_page', 'observation_page') GROUP BY kind
