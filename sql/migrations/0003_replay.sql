-- Runs that rebuild the tables from the landing zone. They may go on beside a run that reads the source: only newer versions are written.
ALTER TABLE run DROP CONSTRAINT run_kind_check;
ALTER TABLE run ADD CONSTRAINT run_kind_check CHECK (kind IN ('full', 'incremental', 'replay'));
DROP INDEX run_one_active;
CREATE UNIQUE INDEX run_one_active ON run (zip) WHERE state IN ('pending', 'running') AND kind <> 'replay';
