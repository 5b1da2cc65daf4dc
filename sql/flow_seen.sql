-- Keeps ids that the source has. $1 type: 'P' a patient whom it lists, 'E' one whom its search gave but who lives elsewhere, 'O' an
-- observation. $2 JSON array of ids.
INSERT INTO stage.seen_{stage} (type, id) SELECT $1::text, jsonb_array_elements_text($2::jsonb)
