-- The tables that users query, and those in which runs keep their state. docs/MAPPING.md explains the columns of the first two.
-- Applied by src/pg/migrate.c in one transaction, under an advisory lock.

CREATE TABLE patient (
    id                    text COLLATE "C" PRIMARY KEY,
    version_id            text,
    last_updated          timestamptz,
    content_hash          bytea,                 -- SHA-256 of the raw bytes, only when the resource has no meta
    active                boolean,
    family_name           text,
    given_names           text[],
    first_name            text,                  -- given_names[1]
    prefix                text,
    suffix                text,
    full_name             text,                  -- name.text, or put together
    gender                text,
    birth_date            date,                  -- first day of what is known
    birth_date_precision  text CHECK (birth_date_precision IN ('year', 'month', 'day')),
    deceased              boolean,
    deceased_at           timestamptz,
    deceased_precision    text CHECK (deceased_precision IN ('year', 'month', 'day', 'second')),
    address_line          text,
    city                  text,
    district              text,
    state                 text,
    postal_code           text,                  -- of the chosen address, as it stands there
    country               text,
    postal_codes          text[],                -- of every address, as they stand, in order
    phone                 text,
    email                 text,
    marital_status        text,
    language              text,
    race                  text,
    ethnicity             text,
    birth_sex             text,
    mrn                   text,
    identifiers           jsonb,                 -- [{"system":…,"value":…,"type":…,"use":…}]
    managing_organization text,
    general_practitioner  text,
    moved_at              timestamptz,           -- has left every zip code for which it was loaded; the row is kept
    deleted_at            timestamptz,           -- tombstone: gone on the server
    run_id                uuid NOT NULL          -- which run wrote this version
);
CREATE INDEX patient_first_name ON patient (lower(first_name) text_pattern_ops, id);
CREATE INDEX patient_family_name ON patient (lower(family_name) text_pattern_ops, id);

-- Who lives where: a patient can have addresses in several zip codes.
CREATE TABLE patient_zip (
    zip        text NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    whole      boolean NOT NULL DEFAULT false,   -- all observations have been read at least once
    moved_at   timestamptz,                      -- no longer lives there
    PRIMARY KEY (zip, patient_id)
);
CREATE INDEX patient_zip_patient ON patient_zip (patient_id);

CREATE TABLE observation (
    id                    text COLLATE "C" PRIMARY KEY,
    version_id            text,
    last_updated          timestamptz,
    content_hash          bytea,
    patient_id            text COLLATE "C",
    encounter_id          text COLLATE "C",
    status                text NOT NULL,
    category              text,                  -- first coding of the first category
    categories            text[],                -- every category code, in order, without doubles
    code_system           text,
    code                  text,                  -- the coding that is userSelected, else LOINC's first, else the first
    code_display          text,                  -- its display, else code.text
    code_text             text,
    codings               jsonb,                 -- all, when there is more than one
    effective_at          timestamptz,           -- start of the instant, period or first timing event
    effective_end         timestamptz,           -- end of the period or last timing event
    effective_precision   text CHECK (effective_precision IN ('year', 'month', 'day', 'second')),
    issued                timestamptz,
    value_type            text,                  -- 'Quantity', 'CodeableConcept', … as in value[x]; NULL without a value
    value_quantity        numeric,               -- Quantity and integer; exact, never through a double
    value_comparator      text,
    value_unit            text,
    value_system          text,
    value_code            text,                  -- Quantity's unit code; CodeableConcept's code
    value_text            text,                  -- string; CodeableConcept's text or display; time; JSON of what has no column
    value_boolean         boolean,
    value_at              timestamptz,           -- dateTime; Period's start
    value_end             timestamptz,           -- Period's end
    value_precision       text CHECK (value_precision IN ('year', 'month', 'day', 'second')),
    interpretation        text,
    absent_reason         text,
    reference_low         numeric,
    reference_high        numeric,
    reference_text        text,
    body_site             text,
    method                text,
    note                  text,
    components            jsonb,                 -- [{"code":…,"system":…,"display":…,"value_type":…,"value":…,"unit":…}]
    deleted_at            timestamptz,
    run_id                uuid NOT NULL
);
CREATE INDEX observation_patient ON observation (patient_id, effective_at DESC NULLS LAST, id);
CREATE INDEX observation_code ON observation (code, effective_at);

-- What is loaded, one row a zip code. `watermark` is the server's clock up to which everything is known to be loaded.
CREATE TABLE zipcode (
    zip             text PRIMARY KEY CHECK (zip ~ '^[0-9]{5}$'),
    source_url      text NOT NULL,
    mapping_version integer NOT NULL,
    watermark       timestamptz,
    patients        bigint NOT NULL DEFAULT 0,
    observations    bigint NOT NULL DEFAULT 0,
    first_loaded_at timestamptz,
    last_loaded_at  timestamptz,
    last_run_id     uuid
);

CREATE TABLE run (
    id               uuid PRIMARY KEY,           -- UUIDv7
    ordinal          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    zip              text NOT NULL CHECK (zip ~ '^[0-9]{5}$'),
    source_url       text NOT NULL,              -- without user name and password
    mapping_version  integer NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('full', 'incremental')),
    state            text NOT NULL CHECK (state IN ('pending', 'running', 'completed', 'incomplete', 'failed', 'cancelled')),
    phase            text NOT NULL DEFAULT 'look' CHECK (phase IN ('look', 'read', 'sweep', 'reconcile', 'done')),
    progress         bigint NOT NULL DEFAULT 0,  -- goes up with each change: the id of SSE events
    allow_mass_delete boolean NOT NULL DEFAULT false,
    cancel_requested boolean NOT NULL DEFAULT false,
    idempotency_key  text,
    requested_at     timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    ended_at         timestamptz,
    -- a run has one owner at a time: the process whose epoch this is, until the lease runs out
    owner            text,
    epoch            bigint NOT NULL DEFAULT 0,
    lease_until      timestamptz,
    since            timestamptz,                -- incremental: what changed at or after this
    watermark        timestamptz,                -- what the zip code's watermark becomes when this run is committed
    server_time      timestamptz,                -- the source's own clock when the run began
    patient_history  boolean NOT NULL DEFAULT false, -- the source tells deletes by type history
    observation_history boolean NOT NULL DEFAULT false,
    track_seen       boolean NOT NULL DEFAULT false, -- ids that were read are kept, to find out what is gone
    remap            boolean NOT NULL DEFAULT false, -- the tables hold rows of another mapping version: write all anew
    limits           jsonb NOT NULL DEFAULT '{}',
    error_code       text,
    error            text,                       -- why it failed, for a person
    reconciliation   text                        -- what the numbers say, in words
);
CREATE UNIQUE INDEX run_one_active ON run (zip) WHERE state IN ('pending', 'running');
CREATE UNIQUE INDEX run_idempotency ON run (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX run_zip ON run (zip, ordinal DESC);
CREATE INDEX run_active ON run (ordinal) WHERE state IN ('pending', 'running');

-- Numbers that add up: fetched = inserted + updated + unchanged + rejected + duplicates, and
-- expected = fetched - duplicates + elsewhere + missing, when the server gives counts that hold still.
CREATE TABLE run_count (
    run_id        uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    resource_type text NOT NULL CHECK (resource_type IN ('Patient', 'Observation')),
    expected      bigint,                        -- the server's own count; NULL when it gave none
    fetched       bigint NOT NULL DEFAULT 0,     -- entries of the type received, each once per batch
    landed        bigint NOT NULL DEFAULT 0,
    staged        bigint NOT NULL DEFAULT 0,
    inserted      bigint NOT NULL DEFAULT 0,
    updated       bigint NOT NULL DEFAULT 0,
    unchanged     bigint NOT NULL DEFAULT 0,
    deleted       bigint NOT NULL DEFAULT 0,
    rejected      bigint NOT NULL DEFAULT 0,
    duplicates    bigint NOT NULL DEFAULT 0,     -- the same id again, in this run
    moved         bigint NOT NULL DEFAULT 0,
    elsewhere     bigint NOT NULL DEFAULT 0,     -- matched the server's search, but lives in another zip code
    missing       bigint NOT NULL DEFAULT 0,     -- the server's own count says so many more than it gave
    PRIMARY KEY (run_id, resource_type)
);

CREATE TABLE batch (
    run_id       uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq          integer NOT NULL CHECK (seq > 0),
    kind         text NOT NULL CHECK (kind IN ('patient_page', 'observations', 'id_page', 'lookup', 'observation_page')),
    state        text NOT NULL CHECK (state IN ('pending', 'staged', 'merging', 'merged', 'failed')),
    page_seq     integer NOT NULL DEFAULT 0,     -- pages: the page before, 0 for the first; observations and lookup: whose patients
    first        integer NOT NULL DEFAULT 0,     -- observations and lookup: from this patient of the page …
    patients     integer NOT NULL DEFAULT 0,     -- … so many; pages: how many ids below
    patient_ids  text[],                         -- pages: the patients whose observations must be read whole, in order
    next_url     text,                           -- pages: where it goes on; NULL on the last one
    seen_until   timestamptz,                    -- pages: newest lastUpdated so far: where a search that broke off goes on
    object       text,                           -- landed object, relative to the landing zone
    object_hash  text,                           -- SHA-256 of its bytes
    object_bytes bigint,
    object_raw_bytes bigint,                     -- of the NDJSON in it
    fetched      bigint NOT NULL DEFAULT 0,
    landed       bigint NOT NULL DEFAULT 0,
    staged       bigint NOT NULL DEFAULT 0,
    rejected     bigint NOT NULL DEFAULT 0,
    duplicates   bigint NOT NULL DEFAULT 0,      -- within the batch
    elsewhere    bigint NOT NULL DEFAULT 0,
    missing      bigint NOT NULL DEFAULT 0,
    expected     bigint,
    attempts     integer NOT NULL DEFAULT 0,
    error        text,
    ended_at     timestamptz,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE rejected_resource (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id        uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    zip           text NOT NULL,
    batch_seq     integer NOT NULL,
    resource_type text NOT NULL,
    resource_id   text,                          -- when it has a usable one
    reason        text NOT NULL,                 -- never quotes a value of the resource
    pointer       text NOT NULL,                 -- JSON pointer (RFC 6901) to what cannot be mapped
    object        text NOT NULL,                 -- where its raw bytes are
    line          bigint NOT NULL,               -- line of that object, from 1
    rejected_at   timestamptz NOT NULL DEFAULT now(),
    replayed_at   timestamptz                    -- a later mapping took it
);
CREATE INDEX rejected_resource_run ON rejected_resource (run_id, batch_seq);

-- A run with its numbers. What batches counted is summed here, so it is true at any instant; what is only known at a merge, a sweep or
-- at the end stands in run_count.
CREATE VIEW run_report AS
SELECT
    r.id AS run, r.id::text, r.zip, r.source_url, r.kind, r.state, r.phase, r.progress, r.ordinal, r.cancel_requested,
    (extract(epoch FROM r.requested_at) * 1e6)::bigint AS requested_us,
    (extract(epoch FROM r.started_at) * 1e6)::bigint AS started_us,
    (extract(epoch FROM r.ended_at) * 1e6)::bigint AS ended_us,
    (extract(epoch FROM r.since) * 1e6)::bigint AS since_us,
    (extract(epoch FROM r.watermark) * 1e6)::bigint AS watermark_us,
    r.error_code, r.error, r.reconciliation,
    b.patients_known, b.patients_read,
    p.expected AS patient_expected, b.patient_fetched + p.fetched AS patient_fetched, b.patient_landed + p.landed AS patient_landed,
    b.patient_staged + p.staged AS patient_staged, p.inserted AS patient_inserted, p.updated AS patient_updated,
    p.unchanged AS patient_unchanged, p.deleted AS patient_deleted, b.patient_rejected + p.rejected AS patient_rejected,
    p.duplicates AS patient_duplicates, p.moved AS patient_moved, b.patient_elsewhere + p.elsewhere AS patient_elsewhere,
    b.patient_missing + p.missing AS patient_missing,
    o.expected AS observation_expected, b.observation_fetched + o.fetched AS observation_fetched, b.observation_landed + o.landed AS observation_landed,
    b.observation_staged + o.staged AS observation_staged, o.inserted AS observation_inserted, o.updated AS observation_updated,
    o.unchanged AS observation_unchanged, o.deleted AS observation_deleted, b.observation_rejected + o.rejected AS observation_rejected,
    o.duplicates AS observation_duplicates, o.moved AS observation_moved, b.observation_elsewhere + o.elsewhere AS observation_elsewhere,
    b.observation_missing + o.missing AS observation_missing
FROM run r
JOIN run_count p ON p.run_id = r.id AND p.resource_type = 'Patient'
JOIN run_count o ON o.run_id = r.id AND o.resource_type = 'Observation'
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(fetched) FILTER (WHERE kind IN ('patient_page', 'lookup')), 0)::bigint AS patient_fetched,
        coalesce(sum(landed) FILTER (WHERE kind IN ('patient_page', 'lookup')), 0)::bigint AS patient_landed,
        coalesce(sum(staged) FILTER (WHERE kind IN ('patient_page', 'lookup')), 0)::bigint AS patient_staged,
        coalesce(sum(rejected) FILTER (WHERE kind IN ('patient_page', 'lookup')), 0)::bigint AS patient_rejected,
        coalesce(sum(elsewhere) FILTER (WHERE kind IN ('patient_page', 'lookup')), 0)::bigint AS patient_elsewhere,
        coalesce(sum(missing) FILTER (WHERE kind IN ('patient_page', 'lookup', 'id_page')), 0)::bigint AS patient_missing,
        coalesce(sum(fetched) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_fetched,
        coalesce(sum(landed) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_landed,
        coalesce(sum(staged) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_staged,
        coalesce(sum(rejected) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_rejected,
        coalesce(sum(elsewhere) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_elsewhere,
        coalesce(sum(missing) FILTER (WHERE kind IN ('observations', 'observation_page')), 0)::bigint AS observation_missing,
        coalesce(sum(patients) FILTER (WHERE kind IN ('patient_page', 'id_page')), 0)::bigint AS patients_known,
        coalesce(sum(patients) FILTER (WHERE kind = 'observations' AND state NOT IN ('pending', 'failed')), 0)::bigint AS patients_read
    FROM batch WHERE batch.run_id = r.id
) b;

-- Stages: each run has its own pair, stage.patient_<run id without dashes> and stage.observation_<…>, made LIKE these; what is
-- being merged is renamed to …_m first, so that batches can go on being staged meanwhile.
CREATE SCHEMA stage;
CREATE TABLE stage.patient (LIKE patient, batch_seq integer NOT NULL, line bigint NOT NULL);
ALTER TABLE stage.patient DROP COLUMN moved_at, DROP COLUMN deleted_at, DROP COLUMN run_id;
CREATE TABLE stage.observation (LIKE observation, batch_seq integer NOT NULL, line bigint NOT NULL);
ALTER TABLE stage.observation DROP COLUMN deleted_at, DROP COLUMN run_id;
