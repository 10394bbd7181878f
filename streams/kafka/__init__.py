"""Access to Kafka: clients, record batches, the wire protocol."""
