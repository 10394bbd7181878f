"""The worker: partitions, checkpoints, rebalances."""
