-- Patients of the renamed stage. $1 number of the run that landed them.
INSERT INTO stage.zip_{stage} AS z (patient_id, landed)
SELECT DISTINCT id, $1::integer FROM stage.patient_{stage}_m
ON CONFLICT (patient_id) DO UPDATE SET landed = excluded.landed WHERE z.landed < excluded.landed
