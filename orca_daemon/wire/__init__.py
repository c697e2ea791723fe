"""Shapes of the messages that other programs put on the queues, and nothing else."""
