"""Logs, metrics, health and their HTTP port."""
