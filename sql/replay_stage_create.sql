-- Who was landed for the zip code, and last by which of its runs (their order, from 1); who has left it, and since which.
CREATE TABLE IF NOT EXISTS stage.zip_{stage} (
    patient_id text COLLATE "C" PRIMARY KEY, landed integer NOT NULL, gone integer NOT NULL DEFAULT 0, gone_at timestamptz);
