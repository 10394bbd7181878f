"""The foundation of all other packages: units, moments, numbers, intervals, the canonical form."""
