"""Exports the changes of a table since the last run, as a Parquet file in S3.

Where to start reading: `run.py` is one run over several tables, `table.py` one table in it.  `window.py` and
`query.py` decide which rows are read, `columns.py` the types; `reading.py` shares a large table among
connections (with `db/ranges.py` and `db/readers.py`); `framing.py`, `decode.py`, `encoder.py` and
`parquet.py` turn the bytes of COPY into a file; `upload.py` writes it to S3; `bucket.py` and `files.py` read
where the last run ended.

**Why CSV.**  Several methods of reading from Postgres, measured on 3 million rows of the catalog's `files`
(13 columns, 660 MB of text), Postgres 18 on the same two cores.  The figures are CPU seconds of the exporting
process until the Parquet file (zstd) was written:

| method | CPU seconds | types |
|---|---|---|
| COPY CSV, parsed by `pyarrow.csv` | 5.7 | years past 9999, BC and infinity are lost |
| the same, times and uuids as hex of `*_send` | 5.3 | intact |
| ADBC (libpq, COPY binary in C) | 6.1 | numeric becomes text; one dependency more |
| COPY CSV through a pipe into DuckDB | 9.1 | as the first |
| COPY binary, unpacked by `struct` | 27 | intact |
| fetch all rows, build arrays | 18.7 | intact, and all rows in memory |

We use the second.  With `timestamptz_send` the server need not format dates either: COPY alone took 3.1 s of
the server's time in place of 3.7 s.
"""
