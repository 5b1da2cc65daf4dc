-- Once, before an export: its tables are read from one snapshot, and nothing is written.
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY
