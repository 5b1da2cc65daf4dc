-- The key under which cursors are signed (src/api/cursor.h).
SELECT value FROM setting WHERE name = 'cursor_key'
