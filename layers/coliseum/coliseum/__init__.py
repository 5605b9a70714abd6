"""Coliseum: a trading bot's life as a log, and models that compete on the same markets."""

__version__ = "0.1.0"
