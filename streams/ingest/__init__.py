"""Files and calls in."""
