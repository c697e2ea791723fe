"""A daemon starts with nothing but the variables that ORCA documented for its Lambdas of 2019."""

from contextlib import closing
from urllib.parse import unquote, urlsplit

import boto3

from orca_daemon.local.moto import REGION
from orca_daemon.wire.outgoing import Outgoing, dump
from tests.end_to_end.conftest import Deployment

NO_OTHER_QUEUE = {
    f"ORCA_QUEUES__{name}__URL": "" for name in ("STATUS_UPDATE", "INTERNAL_REPORT", "CATALOG", "RESTORE")
}
OURS_LEFT_OUT = {"ORCA_DATABASE__URL": "", "ORCA_QUEUES__RECOVERY__URL": "", "ORCA_EXPORT__BUCKET": ""}


def test_the_buckets_alone_start_a_daemon_that_copies_restored_objects_by_their_rule(
    deployment: Deployment,
) -> None:
    archive, protected = deployment.buckets["archive"], deployment.buckets["protected"]
    deployment.s3.put_object(Bucket=archive, Key="d/g.h5", Body=b"granule")
    deployment.start(
        **NO_OTHER_QUEUE,
        **OURS_LEFT_OUT,
        RECOVERY_QUEUE_URL=deployment.queues["recovery"],
        protected_bucket=protected,
        public_bucket=deployment.buckets["public"],
        copy_retries="3",
        copy_retry_sleep_secs="0",
    )
    entity = {"bucket": {"name": archive}, "object": {"key": "d/g.h5"}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectRestore:Completed", "s3": entity}
    deployment.send("recovery", Outgoing(body=dump({"Records": [record]})))
    deployment.await_empty("recovery")
    assert deployment.s3.get_object(Bucket=protected, Key="d/g.h5")["Body"].read() == b"granule"


def test_host_and_password_come_from_the_two_parameters_if_nothing_else_names_the_database(
    deployment: Deployment, aws_endpoint: str
) -> None:
    url = urlsplit(deployment.database_url)
    with closing(boto3.client("ssm", endpoint_url=aws_endpoint, region_name=REGION)) as parameters:
        for name, value in {"drdb-host": url.hostname, "drdb-user-pass": unquote(url.password or "")}.items():
            parameters.put_parameter(Name=name, Value=value or "", Type="SecureString", Overwrite=True)
    deployment.start(
        ORCA_DATABASE__URL="",
        DATABASE_PORT=str(url.port),
        DATABASE_NAME=url.path.removeprefix("/"),
        DATABASE_USER=url.username or "",
    )
    log = deployment.log.read_text()
    assert "ssm:drdb-host" in log
    assert unquote(url.password or "") not in log
