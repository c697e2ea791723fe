"""Measurements, as ratios to a baseline in the same run: `python -m bench NAME [--short|--tiny] [--json]`."""
