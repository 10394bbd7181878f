"""`cueline`: one file a command; `main` lists all commands and loads the chosen one."""
