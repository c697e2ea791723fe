"""Write a table's change window to Parquet in S3."""
