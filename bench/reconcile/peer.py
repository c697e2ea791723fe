"""A comparison by DuckDB and its Postgres extension, given our whole job, beside ours and the fastest COPY.

DuckDB runs without a limit of memory, and with one that keeps its process within ours.

The job: read the manifest from S3, fetch and verify the data files, compare them with the catalog, and write
the reports to Postgres.
"""

import json
import subprocess
import tempfile
from contextlib import closing

import boto3

from bench.export import peer
from bench.processor import processor
from bench.reconcile.case import REPORTS, Case, Run, cursor_of
from bench.reconcile.floor import fastest_copy
from bench.report import Target
from orca_daemon.db.sql import load
from orca_daemon.local.moto import REGION

TURNS = 3
_LIMITS = {"duckdb": "", "duckdb within our memory": "800MiB"}
"""DuckDB's own limits of memory; with the second, its process takes as much as ours may, 1 GiB."""
_INSERTS = ("create_view", "insert_phantoms", "insert_orphans", "insert_mismatches", "drop_view")


def add_peers(case: Case, figures: dict[str, float], targets: list[Target]) -> None:
    """Add the figures of all ways, measured in turns; of each the fastest turn."""
    program = peer.python()
    turns: dict[str, list[Run]] = {}
    floors = []
    for _ in range(TURNS):
        turns.setdefault("ours", []).append(case.best("parquet", 1))
        for name, limit in _LIMITS.items() if program else ():
            turns.setdefault(name, []).append(_duckdb(case, str(program), limit))
        floors.append(fastest_copy(case))
    best = {name: min(runs, key=lambda run: run.seconds) for name, runs in turns.items()}
    floor = min(floors, key=lambda each: each.seconds)
    figures["beside peers: catalog alone seconds"] = floor.seconds
    figures["beside peers: catalog alone CPU seconds"] = floor.processor.everything
    for name, run in best.items():
        figures[f"beside peers: {name} seconds"] = run.seconds
        figures[f"beside peers: {name} CPU seconds"] = run.processor.everything
        figures[f"beside peers: {name} CPU seconds of Postgres"] = run.processor.server
        figures[f"beside peers: {name} CPU seconds of its own"] = run.cpu_seconds
        figures[f"beside peers: {name} peak MiB"] = run.peak_mib
        figures[f"beside peers: {name} times the catalog alone"] = run.seconds / floor.seconds
    for name in _LIMITS if program else ():
        assert best["ours"].counts == best[name].counts, best
        ratios = sorted(
            ours.seconds / theirs.seconds for ours, theirs in zip(turns["ours"], turns[name], strict=True)
        )
        target = f"beside peers: time over that of {name}"
        targets.append(Target(name=target, measured=ratios[len(ratios) // 2], at_most=1.0))


def _duckdb(case: Case, program: str, limit: str) -> Run:
    with cursor_of(case.url) as cursor:
        cursor.execute(
            "INSERT INTO orca.reconcile_job (orca_archive_location, status_id, inventory_creation_time, "
            "start_time, last_update) VALUES ('archive', 1, now(), now(), now()) RETURNING id"
        )
        (job,) = cursor.fetchone()
    statements = load("orca_daemon.reconcile", "reports.sql")
    inserts = [str(statements[name]).replace(":job", str(job)) for name in _INSERTS]
    task = {"url": case.url, "urls": _signed(case), "inserts": inserts, "limit": limit}
    before = processor(case.server)
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [program, "-c", _SCRIPT],
            input=json.dumps(task),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=folder,
        )
    result = json.loads(answer.stdout.splitlines()[-1])
    return Run(**result | {"counts": tuple(result["counts"])}, processor=processor(case.server) - before)


def _signed(case: Case) -> list[str]:
    """URLs of the manifest and of its data files."""
    with closing(boto3.client("s3", endpoint_url=case.s3_url, region_name=REGION)) as s3:
        manifest = json.loads(s3.get_object(Bucket=REPORTS, Key="parquet/manifest.json")["Body"].read())
        keys = ["parquet/manifest.json", *(file["key"] for file in manifest["files"])]
        return [
            s3.generate_presigned_url("get_object", Params={"Bucket": REPORTS, "Key": key}) for key in keys
        ]


_SCRIPT = r"""
import glob, hashlib, json, os, resource, sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
began = time.monotonic()
import duckdb, duckdb_extension_postgres_scanner as scanner
task = json.load(sys.stdin)
manifest = json.load(urllib.request.urlopen(task["urls"][0]))
urls = dict(zip((file["key"] for file in manifest["files"]), task["urls"][1:], strict=True))
def outside_session(statement):
    # DuckDB's extension has several sessions.
    statement = statement.replace("TEMPORARY VIEW ", "VIEW pg_temp.")
    return statement.replace("pg_temp.", "public.")
def fetch(file):
    name, digest = file["key"].rpartition("/")[2], hashlib.md5()
    with urllib.request.urlopen(urls[file["key"]]) as body, open(name, "wb") as target:
        while chunk := body.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
    assert digest.hexdigest() == file["MD5checksum"]
with ThreadPoolExecutor(4) as threads:
    list(threads.map(fetch, manifest["files"]))
limit = {"memory_limit": task["limit"]} if task["limit"] else {}
connection = duckdb.connect(config={"threads": 2, "preserve_insertion_order": False, **limit})
(extension,) = glob.glob(os.path.dirname(scanner.__file__) + "/extensions/*/*.duckdb_extension")
connection.execute(f"LOAD '{extension}'")
connection.execute(f"ATTACH '{task['url']}' AS pg (TYPE postgres)")
classes = connection.execute("SELECT id, value FROM pg.orca.storage_class").fetchall()
cases = " ".join(f"WHEN {key} THEN '{value}'" for key, value in classes)
connection.execute(f'''
CREATE TABLE differences AS
SELECT CASE WHEN o.key IS NULL THEN 'phantom' WHEN c.id IS NULL THEN 'orphan' ELSE 'mismatch' END AS kind,
    c.id AS file_id, o.key AS key_path, o.etag AS s3_etag, o.size AS s3_size_in_bytes,
    o.last_modified_date AS s3_last_update, o.storage_class AS s3_storage_class
FROM (SELECT key, concat('"', e_tag, '"') AS etag, size, storage_class, last_modified_date
      FROM read_parquet('*.parquet') WHERE is_latest AND NOT is_delete_marker) AS o
FULL OUTER JOIN (SELECT id, key_path, etag, size_in_bytes, CASE storage_class_id {cases} END AS storage_class
      FROM pg.orca.files WHERE orca_archive_location = 'archive') AS c ON c.key_path = o.key
WHERE c.etag IS DISTINCT FROM o.etag OR c.size_in_bytes IS DISTINCT FROM o.size
    OR c.storage_class IS DISTINCT FROM o.storage_class
''')
kinds = dict(connection.execute("SELECT kind, count(*) FROM differences GROUP BY kind").fetchall())
connection.execute("CREATE TABLE pg.public.differences AS FROM differences")
for insert in task["inserts"]:
    connection.execute("CALL postgres_execute('pg', $1)", [outside_session(insert)])
connection.execute("DROP TABLE pg.public.differences")
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "seconds": time.monotonic() - began, "cpu_seconds": used.ru_utime + used.ru_stime,
    "peak_mib": used.ru_maxrss / 1024,
    "counts": [kinds.get(name, 0) for name in ("phantom", "orphan", "mismatch")],
}))
"""
