"""The shapes of the messages on the queues: what is read from text, what is written as text, nothing else."""
