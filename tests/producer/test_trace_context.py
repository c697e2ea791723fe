"""The context that a program's messages carry if it has an active span, and that nothing else changes."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from orca_daemon.producer.batch import send_batch
from orca_daemon.producer.queue import send
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.trace_context import MOST_ATTRIBUTES, carrying, parsed
from tests.producer.conftest import Queue

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def span() -> Iterator[None]:
    state = TraceState([("vendor", "x")])
    context = SpanContext(int("a" * 32, 16), int("b" * 16, 16), False, TraceFlags(1), state)
    token = attach(set_span_in_context(NonRecordingSpan(context)))
    yield
    detach(token)


def _sent(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def test_one_and_many_carry_the_active_context_and_a_repetition_is_still_dropped(
    fifo: Queue, request: pytest.FixtureRequest
) -> None:
    message = Outgoing(body='{"a": 1}', group="g", attributes={"RequestMethod": "new_job"})
    send(message, fifo.url)  # without a context
    request.getfixturevalue("span")
    send(message, fifo.url)  # content-based deduplication: a digest of the body alone
    other = Outgoing(body='{"a": 2}', group="g")
    assert [result.error for result in send_batch([message, other], fifo.url)] == [None, None]

    first, second = fifo.take()

    assert (first["Body"], _sent(first)) == (message.body, {"RequestMethod": "new_job"})
    assert (second["Body"], _sent(second)) == (other.body, {"traceparent": PARENT, "tracestate": "vendor=x"})


@pytest.mark.usefixtures("span")
def test_what_does_not_fit_is_left_out() -> None:
    def added(message: Outgoing) -> set[str]:
        return carrying(message).attributes.keys() - message.attributes.keys()

    def with_attributes(count: int) -> Outgoing:
        return Outgoing(body="", attributes={f"a{number}": "x" for number in range(count)})

    both, one = {"traceparent", "tracestate"}, {"traceparent"}
    alone = len("traceparent") + len("String") + len(PARENT)
    assert [added(with_attributes(count)) for count in (8, 9, MOST_ATTRIBUTES)] == [both, one, set()]
    assert added(Outgoing(body="x" * (LARGEST_MESSAGE - alone))) == one
    assert added(Outgoing(body="x" * (LARGEST_MESSAGE - alone + 1))) == set()
    assert added(Outgoing(body="", attributes={"traceparent": "own"})) == set()
    assert carrying(Outgoing(body="x")).size <= LARGEST_MESSAGE


@pytest.mark.usefixtures("span")
def test_a_batch_is_cut_by_the_sizes_with_the_context(fifo: Queue) -> None:
    body = "x" * (LARGEST_MESSAGE // 2 - 10)
    messages = [Outgoing(body=body, group="g", deduplication_id=str(number)) for number in range(2)]

    assert [result.error for result in send_batch(messages, fifo.url)] == [None, None]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (PARENT, True),
        (f"cc-{'a' * 32}-{'b' * 16}-01-what-comes-later", True),
        (f"00-{'a' * 32}-{'b' * 16}-01-", False),
        (f"ff-{'a' * 32}-{'b' * 16}-01", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'A' * 32}-{'b' * 16}-01", False),
        ("", False),
    ],
    ids=["valid", "later version", "trailing", "version ff", "no trace", "upper case", "empty"],
)
def test_a_traceparent_is_read_as_the_recommendation_says(text: str, valid: object) -> None:
    assert (parsed(text) is not None) == valid


def test_the_library_does_not_import_opentelemetry() -> None:
    script = (
        "import sys; from orca_daemon import producer; from orca_daemon.wire.trace_context import active;"
        "print(active(), [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout == "{} []\n"
