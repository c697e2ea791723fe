"""The demo on a stack that runs already, such as compose's: `python -m orca_daemon.local.demo`.

It reads the daemon's own settings and does nothing if the catalog has files.  The archive and the other
buckets are named `<prefix><role>`.
"""

import json
import os
import sys
from contextlib import closing
from typing import Any

import boto3
import psycopg2

from orca_daemon.local.daemon import foreign_removed
from orca_daemon.local.demo.report import print_result, print_step
from orca_daemon.local.demo.story import play
from orca_daemon.local.layout import BUCKETS, DEAD_LETTER, announce_restores
from orca_daemon.local.state import Whereabouts
from orca_daemon.settings import Settings, load

PREFIX = "orca-"
"""What deploy/localstack/setup.sh puts before the role of a bucket."""


def main() -> int:
    """Run the scenes.  Returns 0 if every check passed or there was nothing to do, else 1."""
    settings = load()
    database_url = settings.database.url.get_secret_value() if settings.database.url else ""
    if _has_files(database_url):
        print("the catalog has files already: the demo leaves them alone")  # noqa: T201  a command prints
        return 0
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    buckets = {role: f"{PREFIX}{role}" for role in BUCKETS}
    with closing(boto3.client("sqs", region_name=settings.aws.region)) as sqs:
        queues = _queues(settings, sqs)
        with closing(boto3.client("s3", region_name=settings.aws.region)) as s3:
            s3.put_bucket_versioning(Bucket=buckets["archive"], VersioningConfiguration={"Status": "Enabled"})
            announce_restores(s3, sqs, queues["recovery"], buckets["archive"])
    foreign = foreign_removed(os.environ)
    whereabouts = Whereabouts(
        aws_endpoint_url=endpoint,
        sqs_endpoint_url=os.environ.get("AWS_ENDPOINT_URL_SQS", endpoint),
        database_url=database_url,
        http_url="",
        queues=queues,
        buckets=buckets,
        environment={name: value for name, value in os.environ.items() if name not in foreign},
    )
    steps = play(whereabouts, lambda: True, print_step)
    print_result(steps)
    return 0 if all(step.holds for step in steps) else 1


def _queues(settings: Settings, sqs: Any) -> dict[str, str]:
    """URLs by name, including dead-letter queues."""
    urls = {}
    for name, queue in settings.bound.items():
        answer = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["RedrivePolicy"])
        dead = json.loads(answer["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
        urls[name] = queue.url or ""
        urls[name + DEAD_LETTER] = sqs.get_queue_url(QueueName=dead)["QueueUrl"]
    return urls


def _has_files(database_url: str) -> bool:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM orca.files)")
        (found,) = cursor.fetchone() or (False,)
        return bool(found)


if __name__ == "__main__":
    sys.exit(main())
