"""Log lines in both formats: every event can be rendered, and secrets are redacted."""

import ast
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import orca_daemon
from orca_daemon.engine import events
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome
from orca_daemon.ops import log_events
from orca_daemon.ops.log_lines import processors

PACKAGE = Path(orca_daemon.__file__).parent
FORMS = ("json", "console")
CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)


class Unprintable:
    """A value that cannot be rendered."""

    def __repr__(self) -> str:
        raise RuntimeError


VALUES: Sequence[object] = (
    None,
    1.5,
    "two\nlines",
    ["a", "b"],
    ("a", 1),
    {"a": {"b": [1]}},
    {"z", "y"},
    b"bytes",
    Decimal("1.5"),
    datetime(2026, 1, 1, tzinfo=UTC),
    ValueError("odd"),
    "\ud800",
    float("nan"),
    {1: 2, None: 3},
    CIRCLE,
    {("a",): 1},
    Unprintable(),
)


def rendered(form: str, event: str, **facts: object) -> str:
    line: Any = {**facts, "event": event}
    for process in processors(form, color=False):
        line = process(None, "warning", line)
    return str(line)


def logged() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every event that the code logs, with the names of its facts."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_log" | "log")) | ast.Name(id="write"),
                    args=[ast.Constant(value=str(event)), *_],
                    keywords=keywords,
                ):
                    yield event, tuple(sorted({each.arg for each in keywords if each.arg} - {"exc_info"}))


EVENTS = sorted(set(logged()))


def test_the_events_of_the_code_are_found() -> None:
    names = {event for event, _ in EVENTS}
    assert names >= {"ready", "dump.thread", "start.waiting", "settlement.failed", "export.finished"}


@pytest.mark.parametrize("form", FORMS)
def test_every_event_can_be_rendered_with_any_fact(form: str) -> None:
    for event, names in EVENTS:
        for value in VALUES:
            line = rendered(form, event, **dict.fromkeys(names, value))
            assert event in line
            if form == "json":
                assert json.loads(line)["level"] == "warning"


def test_the_engines_events_can_be_rendered_for_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = Envelope(id="m", receipt="r", body="", group="g")
    monkeypatch.setattr(log_events, "_log", log := Written("console"))
    for event in (
        events.Polled("q", events.PollOutcome.ERROR, reason="why"),
        events.Attempted("q", (envelope,), 1, 0.1, ValueError("x"), events.AttemptOutcome.FAILED),
        events.Settled(
            "q", envelope, events.SettledOutcome.DEAD_LETTERED, "why", facts={"stack": "s", "exception": "e"}
        ),
        events.Extended("q", EntryOutcome.FAILED, 1),
        events.SettlementFailed("q", events.Operation.DELETE, 1, "why"),
        events.BreakerChanged("s3", open=True),
        events.Paused(paused=True),
        events.Drain(events.DrainPhase.STARTED, 1, 1),
    ):
        log_events.observe(event)
    assert len(log.lines) == 8


class Written:
    """A logger that stores its lines."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **facts: self.lines.append(rendered(self.form, event, **facts))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "facts",
    [
        {"password": "hunter2"},
        {"session_token": ["hunter2"]},
        {"url": "postgresql://orca:hunter2@db:5432/orca"},
        {"urls": ["https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=hunter2"]},
        {"deep": {"text": 'said "https://b/k?X-Amz-Signature=hunter2"'}},
    ],
    ids=["by name", "by name, any value", "in a URL", "in a list", "quoted in a text"],
)
def test_secrets_are_redacted_at_any_depth(form: str, facts: dict[str, object]) -> None:
    line = rendered(form, "careless", **facts)

    assert "hunter2" not in line
    assert "[redacted]" in line
    if form == "json":
        json.loads(line)


def test_the_console_prints_a_stack_line_by_line() -> None:
    assert rendered("console", "dump.thread", stack=["first", "second"]).endswith("\nfirst\nsecond")


def test_the_time_is_utc_in_microseconds() -> None:
    before = datetime.now(UTC)
    stamp = datetime.fromisoformat(json.loads(rendered("json", "now"))["timestamp"])

    assert before <= stamp <= datetime.now(UTC)
