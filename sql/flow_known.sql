-- Every patient id that the run's pages gave. $1 run id.
SELECT unnest(patient_ids) FROM batch WHERE run_id = $1::uuid AND kind = 'patient_page'
