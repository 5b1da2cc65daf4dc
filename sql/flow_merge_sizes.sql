-- Rows of the renamed stage, and how many different ids they have.
SELECT (SELECT count(*) FROM stage.patient_{stage}_m),
    (SELECT count(*) FROM (SELECT id FROM stage.patient_{stage}_m GROUP BY id) AS p),
    (SELECT count(*) FROM stage.observation_{stage}_m),
    (SELECT count(*) FROM (SELECT id FROM stage.observation_{stage}_m GROUP BY id) AS o)
