"""Compiled conditions: whether they hold, and when time alone can change that."""
