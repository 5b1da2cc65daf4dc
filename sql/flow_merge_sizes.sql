SELECT (SELECT count(*) FROM stage.patient_{stage}_m), (SELECT count(DISTINCT id) FROM stage.patient_{stage}_m),
    (SELECT count(*) FROM stage.observation_{stage}_m), (SELECT count(DISTINCT id) FROM stage.observation_{stage}_m)
