"""Where it happens: all that touches Kafka, Faust, files, clocks and the network. What should happen, `triggers` decides."""
