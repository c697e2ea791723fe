"""One file for each step; Alembic finds them here."""
