"""The embedded servers: they keep their data, and end with the process that started them."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import boto3
import psycopg2
import pytest

from orca_daemon.local import NotStartedError
from orca_daemon.local.binaries import binaries
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import REGION, Moto
from orca_daemon.local.postgres import Postgres
from tests.waiting import until

PARENT = """
import sys
from orca_daemon.local.moto import Moto
from orca_daemon.local.postgres import Postgres
moto, postgres = Moto(), Postgres(fast=True)
moto.start(); postgres.start()
print(moto.pid, postgres.pid, flush=True)
sys.stdin.read()
"""


def test_a_database_is_a_clone_of_the_current_schema(database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(version_id) FROM orca.schema_versions WHERE is_latest")
        assert cursor.fetchone() == (7,)


def test_postgres_keeps_its_data_from_run_to_run(tmp_path: Path) -> None:
    for statement in ("CREATE TABLE kept ()", "SELECT * FROM kept"):
        with Postgres(tmp_path / "data", fast=True) as server, closing(psycopg2.connect(server.url())) as c:
            c.autocommit = True
            c.cursor().execute(statement)


def test_postgres_may_leave_its_working_directory_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = binaries()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the programs run as another user, if root starts them
        for name in ("initdb", "postgres"):
            program = Path(folder, name)
            # Those of Postgres 15 and older leave it while they look for themselves.
            program.write_text(f'#!/bin/sh\ncd / && exec {real / name} "$@"\n')
            program.chmod(0o755)
        monkeypatch.setattr("orca_daemon.local.postgres.binaries", lambda: Path(folder))
        with (
            Postgres(tmp_path / "data", fast=True) as server,
            closing(psycopg2.connect(server.url())) as connection,
        ):
            assert connection.server_version


def test_moto_keeps_objects_and_secrets_from_run_to_run(tmp_path: Path) -> None:
    with Moto(tmp_path / "state") as server:
        s3 = boto3.client("s3", endpoint_url=server.url, region_name=REGION)
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(
            Bucket="kept",
            Key="a",
            Body=b"one",
            StorageClass="STANDARD_IA",
            Metadata={"m": "1"},
            Tagging="t=1",
        )
        before = s3.list_object_versions(Bucket="kept")["Versions"]
        secrets = boto3.client("secretsmanager", endpoint_url=server.url, region_name=REGION)
        secrets.create_secret(Name="kept", SecretString="s")
    with Moto(tmp_path / "state") as server:
        s3 = boto3.client("s3", endpoint_url=server.url, region_name=REGION)
        assert before == s3.list_object_versions(Bucket="kept")["Versions"]
        assert s3.head_object(Bucket="kept", Key="a")["Metadata"] == {"m": "1"}
        assert s3.get_object_tagging(Bucket="kept", Key="a")["TagSet"] == [{"Key": "t", "Value": "1"}]
        with pytest.raises(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
        secrets = boto3.client("secretsmanager", endpoint_url=server.url, region_name=REGION)
        assert secrets.get_secret_value(SecretId="kept")["SecretString"] == "s"


@pytest.mark.parametrize("wreck", [{"PG_VERSION": "18"}, {"something": "else"}])
def test_a_directory_that_is_not_a_database_is_named(tmp_path: Path, wreck: dict[str, str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name, content in wreck.items():
        (data / name).write_text(content)
    with pytest.raises(NotStartedError, match=f"{data}.*move.* away"):
        Postgres(data, fast=True).start()
    assert {path.name for path in data.iterdir()} == set(wreck)


def test_an_interrupted_initdb_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "data.making").mkdir()
    (tmp_path / "data.making" / "PG_VERSION").write_text("18")
    with Postgres(tmp_path / "data", fast=True) as server:
        psycopg2.connect(server.url()).close()


def test_moto_loses_little_when_it_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Moto(state) as server:
        s3 = boto3.client("s3", endpoint_url=server.url, region_name=REGION)
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="kept", Key="a", Body=b"one")
        upload = s3.create_multipart_upload(Bucket="kept", Key="b")["UploadId"]
        until(lambda: state.exists() and upload.encode() in state.read_bytes())
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
    with Moto(state) as server:
        s3 = boto3.client("s3", endpoint_url=server.url, region_name=REGION)
        assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"one"
        assert [each["UploadId"] for each in s3.list_multipart_uploads(Bucket="kept")["Uploads"]] == [upload]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("orca_daemon.local.moto_server", ("0", "0")), ("orca_daemon.local.sqs", ("0",))],
)
def test_a_damaged_state_file_is_named(tmp_path: Path, module: str, arguments: tuple[str, ...]) -> None:
    state = tmp_path / "state"
    state.write_bytes(b"torn")
    with pytest.raises(NotStartedError, match=f"{state} cannot be read"):
        Endpoint(module, (*arguments, str(state))).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_no_server_survives_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    servers = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert len(servers) == 2
    for server in servers:
        assert _ended(server, within=20)
        os.close(server)


def _ended(process: int, within: float) -> bool:
    """Whether the process of this pidfd ended in time: the descriptor is readable then."""
    return bool(select.select([process], [], [], within)[0])
