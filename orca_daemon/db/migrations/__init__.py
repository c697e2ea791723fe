"""The schema `orca`, step by step."""
