"""Requests to addresses that outsiders chose: only to public ones, pinned after one look-up, with limits."""
