"""`cueline demo`."""
