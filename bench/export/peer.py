"""DuckDB's Postgres extension doing the same export, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

_PINNED = ("duckdb==1.5.5", "duckdb-extension-postgres-scanner==1.5.5", "duckdb-extension-httpfs==1.5.5")
_HOME = Path(__file__).parents[2] / ".venv-peers"
SCRIPT = """
import glob, json, os, resource, sys, time
import duckdb, duckdb_extension_httpfs as httpfs, duckdb_extension_postgres_scanner as scanner
url, endpoint, table, target = sys.argv[1:]
connection = duckdb.connect()
for module in (httpfs, scanner):
    (file,) = glob.glob(os.path.dirname(module.__file__) + "/extensions/*/*.duckdb_extension")
    connection.execute(f"LOAD '{file}'")
before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
connection.execute(
    "CREATE SECRET (TYPE s3, KEY_ID 'local', SECRET 'local', REGION 'us-west-2', URL_STYLE 'path',"
    f" USE_SSL false, ENDPOINT '{endpoint.removeprefix('http://')}')"
)
connection.execute(f"ATTACH '{url}' AS source (TYPE postgres, READ_ONLY)")
connection.execute(
    f"COPY (SELECT * FROM source.{table}) TO '{target}'"
    " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
)
seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
size = 0 if target.startswith("s3:") else os.path.getsize(target)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({
    "seconds": seconds, "cpu_seconds": cpu, "file_mib": size / 2**20,
    "peak_mib": (after.ru_maxrss - before.ru_maxrss) / 1024, "resident_mib": after.ru_maxrss / 1024,
}))
"""


def python() -> str | None:
    """The interpreter of the environment, made at the first use; None if the packages cannot be installed."""
    program = _HOME / "bin" / "python"
    check = [str(program), "-c", "import duckdb_extension_postgres_scanner, duckdb_extension_httpfs"]
    if program.exists() and subprocess.run(check, check=False, capture_output=True).returncode == 0:
        return str(program)
    install = [str(program), "-m", "pip", "install", "--quiet", *_PINNED]
    for command in ([sys.executable, "-m", "venv", str(_HOME)], install):
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            return None
    return str(program)
