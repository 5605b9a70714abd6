"""Report the trades and the status of a trading bot to Coliseum.

The modules of this package need only Python's standard library. `make reporter` joins them into one file, which users
copy beside their bots: web/coliseum_reporter.py.
"""

from coliseum.client.reporting.reporter import Reporter

__all__ = ["Reporter"]
