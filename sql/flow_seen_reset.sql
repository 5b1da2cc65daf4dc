DELETE FROM stage.seen_{stage} WHERE type = 'O'
