-- One run's columns and numbers (flow.h). $1 run id.
SELECT * FROM run_report WHERE run = $1::uuid
