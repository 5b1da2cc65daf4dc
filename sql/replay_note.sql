-- What is wrong with the landing zone, for the reconciliation; said once. $1 run id, $2 text.
UPDATE run SET reconciliation = concat_ws('; ', reconciliation, $2::text)
WHERE id = $1::uuid AND strpos(coalesce(reconciliation, ''), $2::text) = 0 AND length(coalesce(reconciliation, '')) < 600
