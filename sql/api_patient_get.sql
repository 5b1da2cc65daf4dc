-- $1 id. The last column says whether it has been deleted at the source.
SELECT {patient}, p.deleted_at IS NOT NULL AS deleted FROM patient p WHERE p.id = $1::text
