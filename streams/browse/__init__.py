"""Looking in, and deciding again: inspect, replay, trials."""
