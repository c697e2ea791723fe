"""Alerts on what real daemons export: each fires in the state that it describes, and none fires at rest."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.alerts import cloudwatch, promtool
from tests.deploy.alerts.cases import ALL, Play
from tests.deploy.alerts.scrapes import Phase, Sample, Scrape
from tests.deploy.alerts.stage import QUEUES, Stage
from tests.deploy.alerts.stretch import Grid, stretched
from tests.end_to_end import messages
from tests.end_to_end.conftest import Deployment, deployment
from tests.faults.conftest import MakeLink, make_link

__all__ = ["deployment", "make_link"]
DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/orca-daemon.json"
PAGE = Path(__file__).parents[2] / "docs/operate.md"
RULES = promtool.rules()
FROZEN = """
Down Restarting NotPolling NotStarted PausedForLong DependencyDown DeadLetters CannotDeadLetter LeaseLost
NotificationAbandoned NoDeadLetterQueue MessageStuck UnprovenWait Retrying NoPermits PoolWait LoopLag
DrainSlow LogLinesDropped QueueDelay RecoveryOverdue RecoveriesFailed RecoveriesUnknown Phantoms NoReport
"""
"""Names that routes of other people's Alertmanagers have."""
FROM_THE_FIRST_REPORT_OR_EXPORT = """
reconcile_differences reconcile_not_compared reconcile_rows_per_second reconcile_peak_memory_bytes
reconcile_last_success_timestamp_seconds export_last_success_timestamp_seconds
"""
"""Metrics that have the label of a bucket or a table."""
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())


@pytest.fixture
def stage(deployment: Deployment, make_link: MakeLink, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # The messages of end-to-end tests have a fixed time, and recoveries of that age are overdue.
    monkeypatch.setattr(messages, "START", datetime.now(UTC))
    return Stage(deployment, make_link)


@pytest.mark.outside
@pytest.mark.parametrize("play", ALL.values(), ids=ALL.keys())
def test_just_the_alerts_and_alarms_of_a_state_fire(play: Play, stage: Stage, tmp_path: Path) -> None:
    play(stage)
    promtool.judge(play.__name__, stage.phases, tmp_path)
    cloudwatch.judge(stage.phases)


def test_every_alert_fires_in_a_state_of_a_real_daemon() -> None:
    assert {alert for play in ALL.values() for alert in fired(play)} == set(RULES)


def fired(play: Play) -> Iterator[str]:
    """The alerts that a case expects at the end of a phase."""
    for call in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(play)))):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in {"phase", "gone"}
        ):
            nodes = (node for argument in call.args[1:] for node in ast.walk(argument))
            texts = (node.value for node in nodes if isinstance(node, ast.Constant))
            yield from (text.split()[0] for text in texts if isinstance(text, str))


def test_the_names_of_alerts_stay() -> None:
    assert {f"OrcaDaemon{name}" for name in FROZEN.split()} <= set(RULES)


@each_rule
def test_an_alert_leads_to_its_heading_in_the_runbook(rule: dict[str, Any]) -> None:
    headings = re.findall(r"^#+ (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert rule["alert"] in headings
    assert rule["annotations"]["runbook_url"] == (
        f"{{{{ $externalLabels.orca_docs }}}}docs/operate.md#{rule['alert'].lower()}"
    )


@each_rule
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    what_to_do = r"\b(Read|Look|Run|run|Check|Send|send|Give|Grant|Ask|Find|Raise|raise|Restart|Add)\b"

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert summary
    assert re.search(what_to_do, description)


def test_permits_are_free_while_receives_hang_and_none_is_while_they_wait_for_the_limit(stage: Stage) -> None:
    link = stage.make_link(stage.deployment.environment["AWS_ENDPOINT_URL_SQS"])
    stage.start(
        "handler hangs", AWS_ENDPOINT_URL_SQS=link.url, ORCA_ENGINE__HELD="10", ORCA_COPIES__FILES="1"
    )
    queues = {"status_update": 10, "recovery": 1, "internal_report": 2}

    assert permits(stage.read()) == queues
    link.proxy.silent = True
    hung = stage.phase(1)
    assert [permits(each) for each in hung.scrapes] == [queues] * 3
    link.restore()
    stage.jobs(10)
    stage.until(lambda now: now.value("messages_held", queue="status_update") == 10)
    assert permits(stage.read()) == queues | {"status_update": 0}
    stage.kill()


def test_what_alerts_and_panels_ask_for_is_exported_by_a_real_daemon(stage: Stage) -> None:
    asked = promtool.queried() | set(promtool.METRIC.findall(DASHBOARD.read_text("utf-8")))
    stage.start()

    exported = {name for name, _ in stage.read().samples}

    assert asked - exported == {f"orca_daemon_{name}" for name in FROM_THE_FIRST_REPORT_OR_EXPORT.split()}


def permits(found: Scrape) -> dict[str, float]:
    return {name: found.value("permits_free", queue=name) for name in QUEUES}


def test_dead_letters_are_counted_and_the_time_since_their_queue_was_empty_stands_still(stage: Stage) -> None:
    stage.start()
    assert stage.read().value("dead_letter_queue_messages") == 0
    began = stage.read().time
    stage.poison()
    stage.until(lambda now: now.value("dead_letter_queue_messages", queue="status_update") == 1)
    since = stage.read().value("dead_letter_queue_filled_timestamp_seconds", queue="status_update")
    stage.poison()
    stage.until(lambda now: now.value("dead_letter_queue_messages", queue="status_update") == 2)
    after = stage.read()

    assert began <= since <= after.time
    assert after.value("dead_letter_queue_filled_timestamp_seconds", queue="status_update") == since
    assert after.value("dead_letter_queue_retention_seconds", queue="status_update") == 345_600
    stage.empty("status_update")
    stage.until(lambda now: now.value("dead_letter_queue_messages") == 0)
    assert stage.read().value("dead_letter_queue_filled_timestamp_seconds") == 0


def test_counters_go_on_times_move_or_stand_still_and_gauges_repeat() -> None:
    def scrape(at: float, count: float, polled: float, free: float) -> Scrape:
        values = {
            "c_total": Sample(count, "counter"),
            "polled_timestamp_seconds": Sample(polled, "gauge"),
            "held_timestamp_seconds": Sample(1000.0, "gauge"),
            "free": Sample(free, "gauge"),
        }
        return Scrape(at, {(name, ()): sample for name, sample in values.items()})

    first = Phase((scrape(1000.0, 5, 999.0, 1), scrape(1002.0, 5, 1001.0, 1)), 3, frozenset())
    second = Phase((scrape(1010.0, 7, 1009.0, 2), scrape(1012.0, 9, 1009.0, 4)), 2, frozenset())
    gone = Phase((Scrape(1020.0, {}),), 2, frozenset())

    found = stretched(
        [first, second, gone],
        ["c_total", "polled_timestamp_seconds", "held_timestamp_seconds", "free"],
        Grid(),
    )

    assert {name: text for (name, _), text in found.items()} == {
        "c_total": "5.000000+0.000000x2 7.000000+60.000000x1 stale _x1",
        "polled_timestamp_seconds": "-1.000000+60.000000x2 179.000000+0.000000x1 stale _x1",
        "held_timestamp_seconds": "0.000000+0.000000x2 0.000000+0.000000x1 stale _x1",
        "free": "1.000000+0.000000x2 2 4 stale _x1",
    }
