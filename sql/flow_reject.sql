-- Rejected resources of a batch. $1 run id, $2 zip, $3 batch, $4 object, $5 JSON array of {type, id, reason, pointer, line, patient}.
-- Their patients are not whole any more: the next run reads them whole, until the source or the mapping is mended.
WITH unwhole AS (
    UPDATE patient_zip z SET whole = false FROM jsonb_to_recordset($5::jsonb) AS r (patient text)
    WHERE z.zip = $2::text AND z.patient_id = r.patient COLLATE "C" AND z.whole
)
INSERT INTO rejected_resource (run_id, zip, batch_seq, resource_type, resource_id, reason, pointer, object, line)
SELECT $1::uuid, $2::text, $3::integer, r.type, r.id, r.reason, r.pointer, $4::text, r.line
FROM jsonb_to_recordset($5::jsonb) AS r (type text, id text, reason text, pointer text, line bigint)
