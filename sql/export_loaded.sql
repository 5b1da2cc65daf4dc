-- Has this zip code ($1) been loaded, or begun to be?
SELECT EXISTS (SELECT FROM zipcode WHERE zip = $1::text) OR EXISTS (SELECT FROM patient_zip WHERE zip = $1::text)
