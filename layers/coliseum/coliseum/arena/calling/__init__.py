"""Calls the endpoints of outside agents: the proof of a new endpoint, then the questions of open rounds."""
