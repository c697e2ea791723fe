"""One span for each run, over a real engine and a real receiver."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import Reject
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.ops.tracing.export import Tracing
from orca_daemon.ops.tracing.runs import MOST_CHILDREN, link_to, next_parent
from orca_daemon.wire.trace_context import active
from tests.collector import Collector
from tests.ops.tracing.conftest import SENDER, URL, Rig, link, traceparent

MakeRig = Callable[[Route[Any]], Rig]
AT_ONCE = Backoff(base=0.001, cap=0.001, floor=0.001)


def route(handle: Callable[[Sequence[Delivery[str]]], Any], **rest: Any) -> Route[str]:
    async def work(run: Sequence[Delivery[str]], /) -> None:
        if (result := handle(run)) is not None:
            await result

    def describe(message: str) -> Mapping[str, str]:
        return {"job_id": f"job-{message}"}

    return Route(
        name="work",
        decode=rest.pop("decode", lambda envelope: envelope.body),
        handle=work,
        describe=describe,
        backoff=AT_ONCE,
        **rest,
    )


async def test_a_run_of_a_hundred_is_one_span_with_a_hundred_links(
    make_rig: MakeRig, collector: Collector, tracing: Tracing
) -> None:
    sizes, gate = [], asyncio.Event()

    async def handle(run: Sequence[Delivery[str]]) -> None:
        sizes.append(len(run))
        await gate.wait()

    rig = make_rig(route(handle, batch=100, merge=True))
    async with rig.running():
        for slot in (1, 2):  # both are at work, so that the others wait
            rig.send(1000 + slot)
            while len(sizes) < slot:  # noqa: ASYNC110  the engine has no event for this
                await asyncio.sleep(0.005)
        for number in range(1, 101):
            rig.send(number)
        while rig.engine.state().queues[0].held < 102:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        gate.set()
    await tracing.close()

    assert sizes == [1, 1, 100]
    first, second, hundred = collector.named("process work.fifo")
    assert first.links == [link(1001)]
    assert hundred.links == [link(number) for number in range(1, 101)]
    assert hundred.attributes == {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "work.fifo",
        "messaging.batch.message_count": 100,
        "aws.sqs.queue.url": URL,
        "server.address": "sqs.us-west-2.amazonaws.com",
        "orca.job_id": [f"job-{number}" for number in range(1, 101)],
        "orca_daemon.outcome": "done",
    }
    assert (hundred.kind, hundred.parent, hundred.failed) == ("consumer", "", False)
    assert {event.facts["trace_id"] for event in rig.settled} == {first.trace, second.trace, hundred.trace}


async def test_each_attempt_is_a_span_and_says_how_it_ended(
    make_rig: MakeRig, collector: Collector, tracing: Tracing
) -> None:
    told: list[str] = []

    def handle(run: Sequence[Delivery[str]]) -> None:
        if run[0].attempt == 1:
            raise ValueError("a secret")
        raise Reject("it is too old")

    async def gave_up(message: str | None, envelope: Envelope, reason: str, /) -> None:
        told.append(active()["traceparent"])

    rig = make_rig(route(handle, gave_up=gave_up))
    rig.send(1)
    async with rig.running():
        pass
    await tracing.close()

    first, second = collector.named("process")
    assert (first.failed, first.attributes["error.type"]) == (True, "ValueError")
    assert "secret" not in first.status
    assert (second.failed, second.attributes["error.type"]) == (True, "Reject")
    assert second.status == "it is too old"
    assert [span.attributes["orca_daemon.outcome"] for span in (first, second)] == ["failed", "rejected"]
    # What follows the last attempt is of its trace, and so is the log line.
    assert told == [f"00-{second.trace}-{second.id}-01"]
    assert [event.facts["trace_id"] for event in rig.settled] == [second.trace]


async def test_a_message_that_cannot_be_decoded_has_a_span(
    make_rig: MakeRig, collector: Collector, tracing: Tracing
) -> None:
    def decode(_: Envelope) -> str:
        raise Reject("no JSON")

    rig = make_rig(route(lambda _: None, decode=decode))
    rig.send(7)
    async with rig.running():
        pass
    await tracing.close()

    [span] = collector.named("process")
    assert (span.links, span.failed, span.attributes["error.type"]) == ([link(7)], True, "given_up")
    assert "no JSON" in span.status


async def test_what_is_not_sampled_is_not_recorded_and_the_context_goes_on(
    make_rig: MakeRig, collector: Collector, tracing: Tracing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    other = Tracing("1")
    contexts: list[str] = []
    rig = Rig(other, route(lambda _: contexts.append(active()["traceparent"])))
    for number in (1, 2):
        rig.send(number)
    async with rig.running():
        pass
    await other.close()

    assert (collector.spans, [text[-3:] for text in contexts]) == ([], ["-00", "-00"])
    assert len(set(contexts)) == 2
    assert all("trace_id" not in event.facts for event in rig.settled)


async def test_a_run_has_a_bounded_number_of_spans_and_says_how_many_are_missing(
    make_rig: MakeRig, collector: Collector, tracing: Tracing
) -> None:
    parents: list[bool] = []

    def handle(_: Sequence[Delivery[str]]) -> None:
        parents.extend(next_parent() is not None for _ in range(MOST_CHILDREN + 7))

    rig = make_rig(route(handle))
    rig.send(1)
    async with rig.running():
        pass
    await tracing.close()

    [span] = collector.named("process")
    assert (sum(parents), span.attributes["orca_daemon.spans_left_out"]) == (MOST_CHILDREN, 7)


def test_a_message_links_to_its_traceparent_and_else_to_its_xray_header() -> None:
    def linked(**fields: Any) -> tuple[int, int] | None:
        found = link_to(Envelope(id="1", receipt="r", body="", **fields))
        return None if found is None else (found.context.trace_id, found.context.span_id)

    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    own = {"traceparent": traceparent(9)}
    xray = (0x5759E988BD862E3FE1BE46A994272793, 0x53995C3F42CD8AD8)

    assert linked() is None
    assert linked(attributes=own, trace=header) == (int(SENDER, 16), 9)
    assert linked(trace=header) == linked(attributes={"traceparent": "nonsense"}, trace=header) == xray
    assert linked(trace="Root=1-67891233-abcdef") is None
