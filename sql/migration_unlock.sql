SELECT pg_advisory_unlock(4071990234127);
