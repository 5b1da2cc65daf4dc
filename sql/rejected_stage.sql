-- For lines that are mapped again, named as the MERGE statements want them; dropped before the transaction ends.
CREATE UNLOGGED TABLE stage.patient_{stage}_m (LIKE stage.patient);
CREATE UNLOGGED TABLE stage.observation_{stage}_m (LIKE stage.observation);
