-- $1 zip code.
SELECT {zipcode} FROM zipcode z WHERE z.zip = $1::text
