"""A compiled rule set, and the life of a run under it."""
