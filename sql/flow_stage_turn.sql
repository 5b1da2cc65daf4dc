-- What is staged now becomes what is merged next; new rows go to fresh tables. Waits for batches that are just being staged.
ALTER TABLE stage.patient_{stage} RENAME TO patient_{stage}_m;
ALTER TABLE stage.observation_{stage} RENAME TO observation_{stage}_m;
CREATE TABLE stage.patient_{stage} (LIKE stage.patient);
CREATE TABLE stage.observation_{stage} (LIKE stage.observation);
