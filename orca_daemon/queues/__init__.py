"""One module for each queue, and the list of routes."""
