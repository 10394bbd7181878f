"""What rules mean once they are read: frozen definitions, with no trace of YAML."""
