-- $1 id. The last column says whether it has been deleted at the source.
SELECT {observation}, o.deleted_at IS NOT NULL AS deleted FROM observation o WHERE o.id = $1::text
