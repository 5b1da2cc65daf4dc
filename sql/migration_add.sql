INSERT INTO schema_migration (version, name, hash) VALUES ($1::integer, $2, $3);
