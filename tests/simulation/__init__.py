"""Simulations of the statistics. `make simulate ARGUMENTS=<name>` runs one whole, as docs/scoring.md shows it."""
