"""The spans of calls, and the context that sends carry."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.context import Context, attach, detach

from orca_daemon.engine.events import Attempted
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.ops.tracing.calls import CallTracer, record_stage, transaction
from orca_daemon.ops.tracing.export import Tracing
from orca_daemon.ops.tracing.runs import RunTracer, observe
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from tests.collector import Collector
from tests.ops.tracing.conftest import URL, link, traceparent

STATUS = "http://127.0.0.1:9324/000000000000/status.fifo"


class Calls:
    """Makes calls within a run, and remembers with which parameters."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._tracer = CallTracer(tracing.tracer, lambda error: str(error) or None)
        self.made: list[Mapping[str, Any]] = []

    async def within_a_run(self, *calls: tuple[str, dict[str, Any]], error: str | None = None) -> None:
        async def make(parameters: Mapping[str, Any]) -> dict[str, Any]:
            self.made.append(parameters)
            if error is not None:
                raise ValueError(error)
            return {"MessageId": "m-1", "ResponseMetadata": {"RequestId": "r-1"}}

        async def handle(_: object, /) -> None:
            for operation, parameters in calls:
                await self._tracer(operation, parameters, make)

        route: Route[Any] = Route(name="r", decode=lambda envelope: envelope.body, handle=handle)
        envelope = Envelope(id="1", receipt="r", body="")
        token = attach(Context())
        try:
            await RunTracer(self._tracing.tracer, URL).traced(route).handle([Delivery("", envelope)])
        finally:
            observe(Attempted("work", (envelope,), 1, 0.1))
            detach(token)
            await self._tracing.close()


def string(text: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": text}


@pytest.fixture
def calls(tracing: Tracing) -> Calls:
    return Calls(tracing)


async def test_a_send_is_a_producer_and_the_message_carries_its_context(
    calls: Calls, collector: Collector
) -> None:
    await calls.within_a_run(("sqs:SendMessage", {"QueueUrl": STATUS, "MessageBody": "{}"}))

    [send] = collector.named("send")
    assert (send.name, send.kind) == ("send status.fifo", "producer")
    assert send.attributes == {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "status.fifo",
        "messaging.message.id": "m-1",
        "aws.sqs.queue.url": STATUS,
        "aws.request_id": "r-1",
        "server.address": "127.0.0.1",
        "server.port": 9324,
    }
    assert calls.made[0]["MessageAttributes"] == {"traceparent": string(f"00-{send.trace}-{send.id}-01")}


async def test_a_context_that_a_message_has_already_stays(calls: Calls, collector: Collector) -> None:
    own = {"traceparent": string(traceparent(5)), "A": string("b")}

    await calls.within_a_run(
        ("sqs:SendMessage", {"QueueUrl": STATUS, "MessageBody": "{}", "MessageAttributes": own})
    )

    [send] = collector.named("send")
    assert (send.kind, send.links, calls.made[0]["MessageAttributes"]) == ("client", [link(5)], own)


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        pytest.param("{}", {f"a{number}": string("x") for number in range(10)}, id="ten attributes"),
        pytest.param("x" * (LARGEST_MESSAGE - 60), {}, id="no bytes"),
        pytest.param("{}", {"OrcaDaemonEvidence": string("{}")}, id="a dead letter"),
    ],
)
async def test_without_room_a_message_is_sent_as_it_is(
    calls: Calls, body: str, attributes: dict[str, Any]
) -> None:
    await calls.within_a_run(
        ("sqs:SendMessage", {"QueueUrl": STATUS, "MessageBody": body, "MessageAttributes": attributes})
    )

    assert calls.made[0]["MessageAttributes"] == attributes


async def test_other_calls_are_named_by_the_sdk_and_settlements_by_their_queue(
    calls: Calls, collector: Collector
) -> None:
    await calls.within_a_run(
        ("s3:HeadObject", {"Bucket": "b", "Key": "k"}),
        ("sqs:DeleteMessageBatch", {"QueueUrl": URL, "Entries": [{}, {}]}),
    )

    [run] = collector.named("process")
    [head] = collector.named("S3.")
    [delete] = collector.named("delete")
    assert (head.parent, delete.parent) == (run.id, run.id)
    assert head.attributes == {
        "rpc.system.name": "aws-api",
        "rpc.method": "S3/HeadObject",
        "aws.s3.bucket": "b",
        "aws.s3.key": "k",
        "aws.request_id": "r-1",
    }
    assert (delete.name, delete.attributes["messaging.operation.type"]) == ("delete work.fifo", "settle")
    assert delete.attributes["messaging.batch.message_count"] == 2


@pytest.mark.parametrize(("error", "kind"), [("SlowDown", "SlowDown"), ("", None)], ids=["failure", "answer"])
async def test_an_error_has_its_type_unless_it_is_an_answer(
    calls: Calls, collector: Collector, error: str, kind: str | None
) -> None:
    with pytest.raises(ValueError, match=f"^{error}$"):
        await calls.within_a_run(("s3:HeadObject", {"Bucket": "b", "Key": "k"}), error=error)

    [head] = collector.named("S3.")
    assert (head.failed, head.attributes.get("error.type")) == (kind is not None, kind)


async def test_what_belongs_to_no_run_has_no_span(
    calls: Calls, collector: Collector, tracing: Tracing
) -> None:
    async def make(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return parameters

    sent = {"QueueUrl": URL, "MessageBody": "{}"}
    made = await CallTracer(tracing.tracer, lambda _: None)("sqs:SendMessage", sent, make)
    with transaction(tracing.tracer, "a.b"):
        record_stage(tracing.tracer, "listing", 1, 2)
    await tracing.close()

    assert (made, collector.spans) == (sent, [])
