-- One replaying transaction at a time. The number is arbitrary, and fhirline's own.
SELECT pg_advisory_xact_lock(4071990234128);
