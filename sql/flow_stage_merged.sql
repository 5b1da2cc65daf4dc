DROP TABLE stage.patient_{stage}_m, stage.observation_{stage}_m;
