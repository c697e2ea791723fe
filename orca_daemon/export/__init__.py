"""A table's changes since the last time, as a Parquet file in S3.

Read from the outside in: `run.py` is one run over several tables, `table.py` one table in it.  What to
read is decided in `window.py` and `query.py`, types in `columns.py`; `framing.py`, `decode.py` and
`parquet.py` turn the bytes of COPY into a file; `upload.py` brings it to S3; `bucket.py` finds where the
last run ended.

**Why CSV.**  The ways out of Postgres, measured on 3 million rows of the catalog's `files` (13 columns,
660 MB of text), Postgres 18 on the same two cores, processor seconds of this side until the Parquet file
(zstd) was written, and of the server for COPY alone:

| way | this side | types |
|---|---|---|
| COPY CSV, parsed by `pyarrow.csv` | 5.7 | years past 9999, BC and infinity are lost |
| the same, times and uuids as hex of `*_send` | 5.3 | intact |
| ADBC (libpq, COPY binary in C) | 6.1 | numeric becomes text; one dependency more |
| COPY CSV through a pipe into DuckDB | 9.1 | as the first |
| COPY binary, unpacked by `struct` | 27 | intact |
| fetch all rows, build arrays | 18.7 | intact, and all rows in memory |

The second is what is done here.  `timestamptz_send` also spares the server the calendar: COPY alone
took 3.1 s instead of 3.7 s.
"""
