"""The records of the log and of the output topics, as bytes and as values."""
