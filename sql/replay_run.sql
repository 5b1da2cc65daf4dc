-- A run as its manifest tells, where the database does not know it. $1 id, $2 zip, $3 source, $4 mapping version, $5 kind, $6 state, $7 started,
-- $8 ended, $9 watermark (us or NULL), $10 reconciliation, $11 counts: JSON array of {type, expected, …}.
WITH made AS (
    INSERT INTO run (id, zip, source_url, mapping_version, kind, state, phase, requested_at, started_at, ended_at, watermark, reconciliation)
    VALUES ($1::uuid, $2::text, $3::text, $4::integer, $5::text, $6::text, 'done',
        coalesce(timestamptz 'epoch' + $7::bigint * interval '1 microsecond', now()),
        timestamptz 'epoch' + $7::bigint * interval '1 microsecond', timestamptz 'epoch' + $8::bigint * interval '1 microsecond',
        timestamptz 'epoch' + $9::bigint * interval '1 microsecond', $10::text)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
INSERT INTO run_count (run_id, resource_type, expected, fetched, landed, staged, inserted, updated, unchanged, deleted, rejected, duplicates,
    moved, elsewhere, missing)
SELECT made.id, c.type, c.expected, c.fetched, c.landed, c.staged, c.inserted, c.updated, c.unchanged, c.deleted, c.rejected, c.duplicates,
    c.moved, c.elsewhere, c.missing
FROM made, jsonb_to_recordset($11::jsonb) AS c (type text, expected bigint, fetched bigint, landed bigint, staged bigint, inserted bigint,
    updated bigint, unchanged bigint, deleted bigint, rejected bigint, duplicates bigint, moved bigint, elsewhere bigint, missing bigint)
