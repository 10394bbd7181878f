"""Measures over a user's events: their windows, how a window takes in an event, what it says at a moment."""
