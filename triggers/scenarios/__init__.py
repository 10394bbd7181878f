"""Scenario files: rules tried by people who write rules.

Files flow `files` (YAML with places; all errors at once) → `given` (the records of a `Story`), `expectations` (what must come of it, and
what must not) → `running`. `fields` reads the values that both are made of, and knows the names that the rules have.
"""
