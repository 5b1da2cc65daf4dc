-- What `fhirline doctor` wants to know of the database. NULL where a table is not there yet.
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
    has_table_privilege(to_regclass('patient')::oid, 'SELECT, INSERT, UPDATE') AND has_table_privilege(to_regclass('run')::oid, 'SELECT, INSERT, UPDATE')
        AND has_schema_privilege(to_regnamespace('stage')::oid, 'CREATE'),
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
