"""Fixtures: a real Postgres and real AWS endpoints over HTTP, one of each for a test session."""
