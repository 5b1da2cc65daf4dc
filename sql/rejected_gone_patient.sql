-- Patients who were deleted, or moved away, after their line was rejected stay as they are. `line` is the number of the rejected resource.
DELETE FROM stage.patient_{stage}_m s USING patient t, rejected_resource r
WHERE t.id = s.id AND r.id = s.line AND (t.deleted_at > r.rejected_at OR t.moved_at > r.rejected_at)
