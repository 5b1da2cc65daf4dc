-- A run's own stage tables. Plain ones: an unlogged table would be empty after a crash of the server.
CREATE TABLE IF NOT EXISTS stage.patient_{stage} (LIKE stage.patient);
CREATE TABLE IF NOT EXISTS stage.observation_{stage} (LIKE stage.observation);
CREATE TABLE IF NOT EXISTS stage.seen_{stage} (type text NOT NULL, id text COLLATE "C" NOT NULL);
