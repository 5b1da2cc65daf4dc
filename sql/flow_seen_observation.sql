-- Ids from an id list of the source. $1 JSON array.
INSERT INTO stage.seen_{stage} (type, id) SELECT 'O', jsonb_array_elements_text($1::jsonb)
