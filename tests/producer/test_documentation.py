"""The examples in `docs/producer.md` work as documented."""

import json
import re
from contextlib import closing
from pathlib import Path

import boto3

from orca_daemon.wire import catalog, copy, restore, status
from tests.producer.conftest import Queue

PAGE = Path(__file__).parents[2] / "docs" / "producer.md"


def test_the_examples_send_the_documented_messages(fifo: Queue, standard: Queue, metadata: Queue) -> None:
    with closing(boto3.client("sqs", region_name="us-west-2")) as client:
        restores = Queue(client, fifo=False)
        _run(
            {
                "status_queue": fifo.url,
                "recovery_queue": standard.url,
                "metadata_queue": metadata.url,
                "restore_queue": restores.url,
            }
        )
        (request,) = restores.take()
    assert restore.decode(request["Body"]).tier is restore.Tier.BULK
    sent = fifo.take()
    bodies = [json.loads(message["Body"]) for message in sent]
    assert [body.get("statusId") for body in bodies] == [None, 2, 4]
    for message in sent:
        method = message["MessageAttributes"]["RequestMethod"]["StringValue"]
        assert status.decode(message["Body"], {"RequestMethod": method}).collection_id == "MOD09GQ___061"
    (record,) = metadata.take()
    assert catalog.decode(record["Body"]).collection.collection_id == "MOD09GQ___061"
    (request,) = standard.take()
    assert copy.decode(request["Body"]).restore_destination == "protected"


def _run(names: dict[str, object]) -> None:
    """Run every example with these names."""
    for example in re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102  the page is ours
