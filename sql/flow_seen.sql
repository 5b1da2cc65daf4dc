-- Keeps ids that the source has. $1 type ('P' or 'O'), $2 JSON array of ids.
INSERT INTO stage.seen_{stage} (type, id) SELECT $1::text, jsonb_array_elements_text($2::jsonb)
