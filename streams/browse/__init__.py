"""Read topics and states, and decide again: inspect, replay, trials."""
