"""Compares a listing of a bucket with the catalog.

In the daemon: `run` reads the manifest (`inventory`, `manifest`), starts a child (`process`), and writes the
job and its reports to Postgres (`jobs`, `reports`).  In the child: `child` takes the job's lock, and opens
the catalog (`catalog_copy`).  `comparison` fetches the data files (`spool`), reads them (`listing`) and the
catalog (`catalog`), and joins the two in DuckDB (`compare`).
"""
