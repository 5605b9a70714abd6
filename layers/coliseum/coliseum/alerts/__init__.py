"""Alerts: rules over the log, the books and the exchange, and their delivery to people."""
