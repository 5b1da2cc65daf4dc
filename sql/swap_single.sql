-- Of each id the newest version alone, by the rule of flow_merge_observation.sql.
DELETE FROM stage.observation_{stage}_m s USING (
    SELECT ctid AS at, row_number() OVER (PARTITION BY id ORDER BY last_updated DESC NULLS LAST, batch_seq DESC, line DESC) AS n
    FROM stage.observation_{stage}_m
) d
WHERE s.ctid = d.at AND d.n > 1
