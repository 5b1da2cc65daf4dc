-- Attempts at what a run does one at a time (look, merge, sweep, reconcile), counted when an engine that may try a step again while the attempt
-- before is still alive takes the run up for one: only the newest may write.
ALTER TABLE run ADD COLUMN attempt bigint NOT NULL DEFAULT 0;
