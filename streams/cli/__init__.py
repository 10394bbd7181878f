"""`cueline`: one file a command; `main` knows them all and loads the one that is asked for."""
