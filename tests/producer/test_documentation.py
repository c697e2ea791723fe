"""The examples in `docs/producer.md` work as documented."""

import inspect
import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import boto3
import pytest

from orca_daemon import producer
from orca_daemon.producer import database
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


REFERENCE = PAGE.read_text("utf-8").partition("## Reference\n")[2].partition("\n## ")[0]
SENDING, _, DATABASE = REFERENCE.partition("\n`orca_daemon.producer.database`")


def calls(part: str) -> list[tuple[str, str]]:
    return re.findall(r"^\| `(\w+)\((.*)\)` \|", part, re.MULTILINE)


def arguments_of(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    text = str(inspect.Signature(bare)).removeprefix("(").removesuffix(")")
    return re.sub(
        r"<(?:function|built-in function) (\w+)>", r"time.\1", re.sub(r"<([\w.]+): .*?>", r"\1", text)
    )


def test_the_reference_lists_everything_public_once() -> None:
    classes = re.findall(
        r"^\| `(\w+)` \| ", SENDING.partition("| Class |")[2].partition("| Raised |")[0], re.MULTILINE
    )

    assert sorted([name for name, _ in calls(SENDING)] + classes) == sorted(producer.__all__)


@pytest.mark.parametrize(("name", "arguments"), calls(SENDING), ids=[name for name, _ in calls(SENDING)])
def test_the_reference_has_the_arguments_of_a_function(name: str, arguments: str) -> None:
    assert arguments == arguments_of(getattr(producer, name))


@pytest.mark.parametrize(("name", "arguments"), calls(DATABASE), ids=[name for name, _ in calls(DATABASE)])
def test_the_reference_has_the_arguments_of_a_function_of_the_database(name: str, arguments: str) -> None:
    assert arguments == arguments_of(getattr(database, name))


def test_the_reference_has_the_numbers_of_the_states_and_the_parts_of_a_result() -> None:
    assert all(f"{state.name} {state.value}" in SENDING for state in producer.OrcaStatus)
    sent = next(line for line in SENDING.splitlines() if line.startswith("| `Sent`"))
    assert [field.name for field in fields(producer.Sent)] == re.findall(r"`(\w+)`", sent)[1:]
