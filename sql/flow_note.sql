-- A remark for the reconciliation. $1 run id, $2 text or NULL.
UPDATE run SET reconciliation = $2::text WHERE id = $1::uuid
