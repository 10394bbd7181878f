"""How to talk to Kafka: clients, record batches, the wire."""
