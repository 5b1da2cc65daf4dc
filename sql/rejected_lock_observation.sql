-- No run merges meanwhile: of two that insert the same id at once, one would fail. Reads go on.
LOCK TABLE observation IN SHARE ROW EXCLUSIVE MODE;
