-- One replay of a zip code at a time, as long as the session lives. The number is arbitrary, and fhirline's own. $1 zip.
SELECT pg_try_advisory_lock(407199024, $1::text::integer)
