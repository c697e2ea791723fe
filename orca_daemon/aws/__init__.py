"""Everything that talks to AWS: clients, SQS queues, dead letters, copies in S3, secrets."""
