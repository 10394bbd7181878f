"""What everything else is built on: units, moments, numbers, intervals, the canonical form."""
