-- Moves the renamed stage of a run into the table. $1 run id, $2 remap: write rows of the same version too.
-- A row changes only when the incoming version is newer: later lastUpdated; at the same instant (or without one) another
-- versionId or other bytes. A tombstone of the same version comes back to life: the server has the resource. When the zip code was
-- loaded from another source before, a row from there gives way whatever its version is: versions and times compare within one source.
MERGE INTO patient t
USING (
    SELECT DISTINCT ON (id) *
    FROM stage.patient_{stage}_m
    ORDER BY id, last_updated DESC NULLS LAST, batch_seq DESC, line DESC
) s ON t.id = s.id
WHEN MATCHED AND (
    s.last_updated > t.last_updated
    OR s.last_updated IS NULL AND t.last_updated IS NOT NULL
        AND s.content_hash IS DISTINCT FROM t.content_hash AND s.version_id IS DISTINCT FROM t.version_id
    OR s.last_updated IS NOT NULL AND t.last_updated IS NULL
    OR s.last_updated IS NOT DISTINCT FROM t.last_updated
        AND (s.version_id IS DISTINCT FROM t.version_id OR s.content_hash IS DISTINCT FROM t.content_hash
            OR t.deleted_at IS NOT NULL OR t.moved_at IS NOT NULL OR $2::boolean)
    OR EXISTS (SELECT FROM run r JOIN run o ON o.zip = r.zip AND o.source_url <> r.source_url AND o.phase <> 'look' WHERE r.id = $1::uuid)
        AND (SELECT source_url FROM run WHERE id = t.run_id) IS DISTINCT FROM (SELECT source_url FROM run WHERE id = $1::uuid)
) THEN UPDATE SET
    version_id = s.version_id, last_updated = s.last_updated, content_hash = s.content_hash,
    active = s.active, family_name = s.family_name, given_names = s.given_names, first_name = s.first_name,
    prefix = s.prefix, suffix = s.suffix, full_name = s.full_name, gender = s.gender,
    birth_date = s.birth_date, birth_date_precision = s.birth_date_precision, deceased = s.deceased,
    deceased_at = s.deceased_at, deceased_precision = s.deceased_precision, address_line = s.address_line,
    city = s.city, district = s.district, state = s.state, postal_code = s.postal_code, country = s.country,
    postal_codes = s.postal_codes, phone = s.phone, email = s.email, marital_status = s.marital_status,
    language = s.language, race = s.race, ethnicity = s.ethnicity, birth_sex = s.birth_sex, mrn = s.mrn,
    identifiers = s.identifiers, managing_organization = s.managing_organization,
    general_practitioner = s.general_practitioner, deleted_at = NULL, run_id = $1::uuid, moved_at = NULL
WHEN NOT MATCHED THEN INSERT (
    id, version_id, last_updated, content_hash, active, family_name, given_names, first_name, prefix, suffix,
    full_name, gender, birth_date, birth_date_precision, deceased, deceased_at, deceased_precision,
    address_line, city, district, state, postal_code, country, postal_codes, phone, email, marital_status,
    language, race, ethnicity, birth_sex, mrn, identifiers, managing_organization, general_practitioner,
    run_id
) VALUES (
    s.id, s.version_id, s.last_updated, s.content_hash, s.active, s.family_name, s.given_names, s.first_name,
    s.prefix, s.suffix, s.full_name, s.gender, s.birth_date, s.birth_date_precision, s.deceased,
    s.deceased_at, s.deceased_precision, s.address_line, s.city, s.district, s.state, s.postal_code,
    s.country, s.postal_codes, s.phone, s.email, s.marital_status, s.language, s.race, s.ethnicity,
    s.birth_sex, s.mrn, s.identifiers, s.managing_organization, s.general_practitioner, $1::uuid
)
