"""Postgres: connections, transactions, retry, SQL and migrations."""
