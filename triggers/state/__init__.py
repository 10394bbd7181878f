"""What is remembered of a user and of a partition, and its bytes."""
