"""The formats of the messages on the queues: reading them from text, and writing them as text."""
