"""Conditions, compiled: whether they hold, and when time alone could change that."""
