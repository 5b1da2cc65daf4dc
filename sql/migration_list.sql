SELECT version, name, hash FROM schema_migration ORDER BY version;
