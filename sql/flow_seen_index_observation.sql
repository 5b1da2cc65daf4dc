-- A planner that knows nothing of a list's size compares each with each.
ANALYZE stage.seen_{stage}
