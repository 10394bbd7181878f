"""Measures over a user's events: their kinds, their windows, how a window takes in an event, what it says at a moment."""

import triggers.measures.kinds  # noqa: F401 -- who imports anything from here has all kinds
