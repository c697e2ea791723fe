"""Compare a listing of a bucket with the catalog.

`manifest` says what S3 listed; `process` starts a child that reads it (`spool`, `listing`), reads the catalog
(`catalog`) and joins the two (`compare`, in DuckDB); `reports` and `jobs` write what came of it to Postgres.
"""
