DROP TABLE IF EXISTS stage.patient_{stage}, stage.observation_{stage}, stage.patient_{stage}_m, stage.observation_{stage}_m,
    stage.seen_{stage}, stage.zip_{stage};
