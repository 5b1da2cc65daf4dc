-- Moves the renamed stage of a run into the table. $1 run id, $2 remap: write rows of the same version too.
-- A row changes only when the incoming version is newer: later lastUpdated; at the same instant (or without one) another
-- versionId or other bytes. A tombstone of the same version comes back to life: the server has the resource. When the zip code was
-- loaded from another source before, a row from there gives way whatever its version is: versions and times compare within one source.
MERGE INTO observation t
USING (
    SELECT DISTINCT ON (id) *
    FROM stage.observation_{stage}_m
    ORDER BY id, last_updated DESC NULLS LAST, batch_seq DESC, line DESC
) s ON t.id = s.id
WHEN MATCHED AND (
    s.last_updated > t.last_updated
    OR s.last_updated IS NULL AND t.last_updated IS NOT NULL
        AND s.content_hash IS DISTINCT FROM t.content_hash AND s.version_id IS DISTINCT FROM t.version_id
    OR s.last_updated IS NOT NULL AND t.last_updated IS NULL
    OR s.last_updated IS NOT DISTINCT FROM t.last_updated
        AND (s.version_id IS DISTINCT FROM t.version_id OR s.content_hash IS DISTINCT FROM t.content_hash
            OR t.deleted_at IS NOT NULL OR $2::boolean)
    OR EXISTS (SELECT FROM run r JOIN run o ON o.zip = r.zip AND o.source_url <> r.source_url AND o.phase <> 'look' WHERE r.id = $1::uuid)
        AND (SELECT source_url FROM run WHERE id = t.run_id) IS DISTINCT FROM (SELECT source_url FROM run WHERE id = $1::uuid)
) THEN UPDATE SET
    version_id = s.version_id, last_updated = s.last_updated, content_hash = s.content_hash,
    patient_id = s.patient_id, encounter_id = s.encounter_id, status = s.status, category = s.category,
    categories = s.categories, code_system = s.code_system, code = s.code, code_display = s.code_display,
    code_text = s.code_text, codings = s.codings, effective_at = s.effective_at,
    effective_end = s.effective_end, effective_precision = s.effective_precision, issued = s.issued,
    value_type = s.value_type, value_quantity = s.value_quantity, value_comparator = s.value_comparator,
    value_unit = s.value_unit, value_system = s.value_system, value_code = s.value_code,
    value_text = s.value_text, value_boolean = s.value_boolean, value_at = s.value_at,
    value_end = s.value_end, value_precision = s.value_precision, interpretation = s.interpretation,
    absent_reason = s.absent_reason, reference_low = s.reference_low, reference_high = s.reference_high,
    reference_text = s.reference_text, body_site = s.body_site, method = s.method, note = s.note,
    components = s.components, deleted_at = NULL, run_id = $1::uuid
WHEN NOT MATCHED THEN INSERT (
    id, version_id, last_updated, content_hash, patient_id, encounter_id, status, category, categories,
    code_system, code, code_display, code_text, codings, effective_at, effective_end, effective_precision,
    issued, value_type, value_quantity, value_comparator, value_unit, value_system, value_code, value_text,
    value_boolean, value_at, value_end, value_precision, interpretation, absent_reason, reference_low,
    reference_high, reference_text, body_site, method, note, components, run_id
) VALUES (
    s.id, s.version_id, s.last_updated, s.content_hash, s.patient_id, s.encounter_id, s.status, s.category,
    s.categories, s.code_system, s.code, s.code_display, s.code_text, s.codings, s.effective_at,
    s.effective_end, s.effective_precision, s.issued, s.value_type, s.value_quantity, s.value_comparator,
    s.value_unit, s.value_system, s.value_code, s.value_text, s.value_boolean, s.value_at, s.value_end,
    s.value_precision, s.interpretation, s.absent_reason, s.reference_low, s.reference_high, s.reference_text,
    s.body_site, s.method, s.note, s.components, $1::uuid
)
