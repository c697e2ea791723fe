"""SQS over HTTP on loopback: JSON 1.0 protocol, queues in memory that follow AWS to the letter.

`python -m orca_daemon.local.sqs [PORT [FILE]]` prints its port, serves until SIGTERM and keeps its queues in
FILE.  What SQS does and this does not: see `engine.memory`; nor are there signatures, policies or keys.
"""

from orca_daemon.local.sqs.server import SqsServer

__all__ = ["SqsServer"]
