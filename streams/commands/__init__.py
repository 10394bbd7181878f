"""Commands, rule sets and topics: what an operator changes, and its history."""
