"""The embedded stack: real Postgres, SQS and S3 on loopback, for development, the demo and tests."""


class NotStartedError(Exception):
    """A part of the stack did not start; the text says which, why, and what to do."""
