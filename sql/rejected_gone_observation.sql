-- Observations that were deleted after their line was rejected stay deleted. `line` is the number of the rejected resource.
DELETE FROM stage.observation_{stage}_m s USING observation t, rejected_resource r
WHERE t.id = s.id AND r.id = s.line AND t.deleted_at > r.rejected_at
