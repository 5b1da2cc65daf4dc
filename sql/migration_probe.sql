-- Can this connection write, and is there a table of applied migrations?
SELECT current_setting('transaction_read_only') = 'on', to_regclass('schema_migration') IS NOT NULL;
