"""The meaning of rules after parsing: frozen definitions, without YAML."""
