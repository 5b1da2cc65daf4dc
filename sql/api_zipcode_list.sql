-- $1 after this zip code, $2 limit.
SELECT {zipcode} FROM zipcode z WHERE z.zip > $1::text ORDER BY z.zip LIMIT $2::bigint
