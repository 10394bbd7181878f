"""Read events from files and write them into the log."""
