-- $1 a schema that comes before the others.
SELECT set_config('search_path', quote_ident($1::text) || ', ' || current_setting('search_path'), false)
