"""The line of a settled message is rendered directly, with the bytes that structlog would render."""

import io
import json
import math
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.engine.events import Settled, SettledOutcome
from orca_daemon.engine.message import Envelope
from orca_daemon.ops import log_events, logs, settled_lines
from orca_daemon.ops.log_lines import processors

NOON = "2026-11-29T12:00:00.000000Z"
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "\ud800",
        '"\\\n\x00\u2028',
        "s3://b/k",
        "postgresql://orca:hunter2@db/o",
        "https://b/k?X-Amz-Signature=x",
    ]
)
NAMES = st.sampled_from(
    ["job_id", "granule_id", "key", "queue", "reason", "password", "event", "méssage", '"']
)
SECONDS = st.floats(0, 1e9) | st.sampled_from([0.0, 5e-05, 1e22, float("inf"), float("nan")])


class Structlog:
    """A logger that keeps the line that the processors of structlog render."""

    line = ""

    def __getattr__(self, level: str) -> Any:
        def write(event: str, **facts: object) -> None:
            line: Any = {**facts, "event": event}
            for process in processors("json", color=False):
                line = process(None, level, line)
            self.line = line.replace(json.loads(line)["timestamp"], NOON)

        return write


def by_structlog(event: Settled, level: str) -> str:
    with patch.object(log_events, "_log", log := Structlog()):
        log_events._settled_by_structlog(event, level)
    return log.line


@given(
    facts=st.dictionaries(NAMES, TEXTS, max_size=4),
    group=st.none() | TEXTS,
    texts=st.tuples(TEXTS, TEXTS, TEXTS),
    seconds=st.tuples(SECONDS, SECONDS, SECONDS),
    outcome=st.sampled_from(SettledOutcome),
)
def test_a_line_has_the_bytes_that_structlog_renders(
    facts: Mapping[str, str],
    group: str | None,
    texts: tuple[str, str, str],
    seconds: tuple[float, float, float],
    outcome: SettledOutcome,
) -> None:
    envelope = Envelope(id=texts[0], receipt="r", body="private", group=group, receive_count=3)
    held, work, left = seconds
    event = Settled(
        "status_update", envelope, outcome, reason=texts[1], error=texts[2], attempts=2, held_seconds=held,
        work_seconds=work, lease_left=left, facts=facts,
    )  # fmt: skip
    level = log_events.LEVELS[outcome]
    direct = settled_lines.line(event, level, NOON)
    careful = {"queue", "reason", "password", "event"} & facts.keys()
    if careful or not all(map(math.isfinite, seconds)):
        assert direct is None
    else:
        assert direct == by_structlog(event, level)


def test_a_fact_that_is_no_text_is_left_to_structlog() -> None:
    facts: dict[str, Any] = {"count": 3}
    event = Settled("q", Envelope(id="m", receipt="r", body=""), SettledOutcome.DELETED, facts=facts)
    assert settled_lines.line(event, "info", NOON) is None


def test_a_level_that_is_not_logged_is_not_rendered() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    event = Settled("q", Envelope(id="m", receipt="r", body=""), SettledOutcome.DELETED)
    log_events.observe(event)
    logs.set_level("warning")
    log_events.observe(event)
    logs.set_level("debug")
    log_events.observe(event)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["message.deleted"] * 2
