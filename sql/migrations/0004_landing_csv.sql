-- The rows of a batch as CSV beside its landed object, when that is wanted (landing-format). It has `staged` rows.
ALTER TABLE batch ADD COLUMN csv_hash text, ADD COLUMN csv_bytes bigint; -- SHA-256 of its bytes; NULL: there is none
