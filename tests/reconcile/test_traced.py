"""A comparison in a traced run: the child's stages are spans of it."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from opentelemetry.context import Context, attach, detach

from orca_daemon.engine.events import Attempted
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.ops import tracing as traces
from orca_daemon.ops.tracing.calls import record_stage
from orca_daemon.ops.tracing.export import Tracing
from orca_daemon.ops.tracing.runs import RunTracer, observe
from orca_daemon.reconcile.run import Reconciler
from tests.collector import Collector
from tests.reconcile.archive import Archive, Listed


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
async def tracing(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tracing]:
    for name, value in collector.variables.items():
        monkeypatch.setenv(name, value)
    started = Tracing("1")
    traces.record_with(partial(record_stage, started.tracer))
    yield started
    traces.record_with(None)
    await started.close()


async def test_the_stages_of_the_child_are_spans_of_the_run(
    archive: Archive, reconciler: Reconciler, collector: Collector, tracing: Tracing
) -> None:
    pointer = archive.inventory([Listed("a")])

    async def handle(_: object, /) -> None:
        await reconciler.inventory(pointer)

    route: Route[Any] = Route(name="r", decode=lambda envelope: envelope.body, handle=handle)
    envelope = Envelope(id="1", receipt="r", body="")
    token = attach(Context())
    try:
        traced = RunTracer(tracing.tracer, "https://sqs.local/1/reports.fifo").traced(route)
        await traced.handle([Delivery("", envelope)])
    finally:
        observe(Attempted("reports", (envelope,), 1, 0.1))
        detach(token)
    await tracing.close()

    [run] = collector.named("process")
    stages = collector.named("reconcile ")
    assert [stage.name for stage in stages] == ["reconcile lock", "reconcile listing", "reconcile comparing"]
    assert {(stage.trace, stage.parent) for stage in stages} == {(run.trace, run.id)}
    assert all(run.began <= stage.began <= stage.ended <= run.ended for stage in stages)
