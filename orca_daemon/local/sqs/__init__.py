"""SQS over HTTP on loopback: JSON 1.0 protocol, queues in memory that behave as AWS documents.

`python -m orca_daemon.local.sqs [PORT [FILE]]` prints its port, serves until SIGTERM and saves its queues to
FILE.  `engine.memory` lists what it lacks; it also checks no signatures, policies or keys.
"""

from orca_daemon.local.sqs.server import SqsServer

__all__ = ["SqsServer"]
