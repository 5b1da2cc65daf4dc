-- One run's columns and numbers (flow.h). What batches counted is summed here; what is only known at a merge, a sweep or
-- at the end stands in run_count.
SELECT
    r.id::text, r.zip, r.source_url, r.kind, r.state, r.phase, r.progress, r.ordinal, r.cancel_requested,
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
) b
WHERE r.id = $1::uuid
