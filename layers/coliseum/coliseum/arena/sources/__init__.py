"""The dated sources of the informed track: read from feeds and by search, kept, and chosen for a round's markets."""
