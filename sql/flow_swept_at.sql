-- When a run's deletions are marked: their deleted_at and moved_at. It stands among the seen ids, as what is deleted does ('d' an observation,
-- 'p' a patient, 'l' one who has left the zip code), until the run's fates are landed.
INSERT INTO stage.seen_{stage} (type, id) SELECT 't', (extract(epoch FROM now()) * 1e6)::bigint::text
