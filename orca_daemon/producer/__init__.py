"""What other programs import to put messages on the queues."""
