"""Health, metrics and logs of a worker."""
