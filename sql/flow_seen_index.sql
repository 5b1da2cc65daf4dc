-- Lists of ids are searched by id.
CREATE INDEX IF NOT EXISTS seen_{stage}_id ON stage.seen_{stage} (type, id)
