"""Metrics for CloudWatch, as lines of the log in AWS's Embedded Metric Format."""
