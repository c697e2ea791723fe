"""Clients, the SQS source and publisher, the S3 copy, secrets."""
