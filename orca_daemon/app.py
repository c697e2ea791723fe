"""Builds everything, then start, run, drain, stop."""
