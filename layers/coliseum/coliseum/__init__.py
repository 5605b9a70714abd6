"""Coliseum streams a Kalshi trading bot live and runs an arena in which models forecast the same markets."""

__version__ = "0.2.0"
