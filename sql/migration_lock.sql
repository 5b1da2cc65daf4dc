-- One migrating process at a time. The number is arbitrary, and fhirline's own.
SELECT pg_advisory_lock(4071990234127);
