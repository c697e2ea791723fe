"""Logs: one line for each message, no secrets, a level that can change at run time."""

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog

from orca_daemon.engine.errors import Reject
from orca_daemon.engine.events import (
    Attempted,
    AttemptOutcome,
    BreakerChanged,
    NotificationAbandoned,
    Settled,
    SettledOutcome,
)
from orca_daemon.engine.message import Envelope
from orca_daemon.ops import log_events, logs
from orca_daemon.ops.settled_lines import RESERVED

ENVELOPE = Envelope(id="m-1", receipt="r", body='{"secret": "row"}', group="g", receive_count=2)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    logs.configure("info", "json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_settled_message_is_one_line_with_its_facts(stream: io.StringIO) -> None:
    log_events.observe(
        Settled(
            "recovery", ENVELOPE, SettledOutcome.DELETED, attempts=1, held_seconds=1.5, facts={"job_id": "j"}
        )
    )

    (line,) = lines(stream)
    wanted = {"event": "message.deleted", "level": "info", "message_id": "m-1", "group_id": "g"}
    assert {**line, **wanted, "job_id": "j", "held_seconds": 1.5, "receives": 2} == line
    assert line["timestamp"].endswith("Z")


def test_logging_to_a_closed_pipe_raises_nothing(stream: io.StringIO) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    broken = os.fdopen(theirs, "w")
    logs.configure("info", "json", broken)

    log_events.observe(Settled("recovery", ENVELOPE, SettledOutcome.DELETED))

    with suppress(BrokenPipeError):
        broken.close()


def test_an_id_that_the_locale_cannot_write_is_escaped(stream: io.StringIO) -> None:
    written = io.BytesIO()
    logs.configure("info", "json", io.TextIOWrapper(written, "ascii"))

    log_events.observe(
        Settled("recovery", ENVELOPE, SettledOutcome.DELETED, facts={"granule_id": "\N{SNOWMAN}"})
    )

    assert b"\\u2603" in written.getvalue()


def test_facts_do_not_replace_the_fields_of_the_line(stream: io.StringIO) -> None:
    facts = dict.fromkeys([*RESERVED, "queue", "message_id"], "odd")

    log_events.observe(Settled("recovery", ENVELOPE, SettledOutcome.DELETED, facts=facts))

    (line,) = lines(stream)
    assert (line["event"], line["level"], line["queue"], line["message_id"]) == (
        "message.deleted",
        "info",
        "recovery",
        "m-1",
    )
    assert line["message_event"] == "odd"


def test_a_dead_letter_is_an_error_with_its_reason(stream: io.StringIO) -> None:
    log_events.observe(
        Settled("recovery", ENVELOPE, SettledOutcome.DEAD_LETTERED, "no such granule", error="Reject")
    )

    (line,) = lines(stream)
    assert (line["level"], line["reason"]) == ("error", "no such granule")


def test_the_text_of_a_foreign_error_is_not_logged(stream: io.StringIO) -> None:
    try:
        int("secret-row")
    except ValueError as error:
        log_events.observe(Attempted("recovery", (ENVELOPE,), 1, 0.5, error, AttemptOutcome.FAILED))

    assert "secret-row" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert line["reason"].startswith("an unexpected ValueError at test_logs.py:")


def test_the_text_of_our_own_errors_is_logged(stream: io.StringIO) -> None:
    log_events.observe(
        Attempted("recovery", (ENVELOPE,), 1, 0.5, Reject("no such key"), AttemptOutcome.REJECTED)
    )

    assert lines(stream)[0]["reason"] == "no such key"


def test_the_level_changes_while_running(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    log.debug("before")
    logs.set_level("debug")
    log.debug("after")

    assert [line["event"] for line in lines(stream)] == ["after"]


def test_libraries_are_logged_from_warning_up(stream: io.StringIO) -> None:
    logging.getLogger("botocore").debug("Authorization: hunter2")
    logging.getLogger("aiohttp").warning("odd %s", "thing")

    (line,) = lines(stream)
    assert (line["logger"], line["text"], line["level"]) == ("aiohttp", "odd thing", "warning")


def test_a_place_that_is_down_is_named(stream: io.StringIO) -> None:
    reason = "write b: InternalError"
    log_events.observe(BreakerChanged("s3", open=True, reason=reason, place="write b"))

    (line,) = lines(stream)
    reported = (line["event"], line["dependency"], line["place"], line["reason"])
    assert reported == ("dependency.down", "s3", "write b", reason)


def test_a_notification_that_is_abandoned_is_an_error(stream: io.StringIO) -> None:
    envelope = Envelope(id="1", receipt="", body="private")
    log_events.observe(NotificationAbandoned("recovery", envelope, "KeyError at closing.py:7"))

    (line,) = lines(stream)
    reported = (line["event"], line["level"], line["queue"], line["message_id"], line["reason"])
    assert reported == ("notification.abandoned", "error", "recovery", "1", "KeyError at closing.py:7")


def test_the_console_format_is_not_json() -> None:
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    log_events.observe(BreakerChanged("postgres", open=True, reason="connection refused"))
    structlog.reset_defaults()

    assert "dependency.down" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
