-- What belongs to the database as a whole. `cursor_key` signs the cursors of the API's lists, so that they hold across
-- restarts and processes; it opens nothing else. Its 32 bytes come from four random UUIDs (488 random bits), which need no extension.
CREATE TABLE setting (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
INSERT INTO setting (name, value)
VALUES ('cursor_key', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid() || gen_random_uuid(), 'UTF8')));
