"""The web pages for operators, and ORCA's read API: `orca-daemon console`, a process of its own."""
