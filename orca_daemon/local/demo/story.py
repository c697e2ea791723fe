"""Runs the steps of the demo and prints their results."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import boto3
import psycopg2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orca_daemon.local.demo import report
from orca_daemon.local.demo.archive import fill
from orca_daemon.local.demo.exporting import export
from orca_daemon.local.demo.granules import granules
from orca_daemon.local.demo.inventory import reconcile, reconcile_disturbed
from orca_daemon.local.demo.mistakes import make_mistakes
from orca_daemon.local.demo.recovery import recover
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.local.stack import Stack
from orca_daemon.local.state import Whereabouts

ARCHIVED = 500
"""Granules in the archive, each of four files."""
RECOVERED = 30
_SPARE = 3


def play(stack: Stack, whereabouts: Whereabouts, *, as_json: bool, stays: bool) -> int:
    """Feed the sample workload to the daemon.

    Args:
        stack: the running stack.
        whereabouts: the addresses of its parts.
        as_json: print one JSON object instead of a table.
        stays: whether the stack keeps running afterwards.

    Returns:
        0 if every check passed, else 1.
    """
    console = Console(stderr=True)
    with _scene(stack, whereabouts, console) as scene:
        steps = _steps(scene)
    if as_json:
        report.as_json(steps, whereabouts)
    else:
        report.as_table(steps, whereabouts, stack.state.path, stays=stays)
    return 0 if all(step.holds for step in steps) else 1


def _steps(scene: Scene) -> list[Step]:
    everything = list(granules(ARCHIVED + _SPARE, scene.started))
    archived, spare = everything[:ARCHIVED], everything[ARCHIVED:]
    acts: Sequence[Callable[[], Step]] = (
        lambda: fill(scene, archived),
        lambda: recover(scene, archived[:RECOVERED]),
        lambda: reconcile(scene),
        lambda: make_mistakes(scene, archived[RECOVERED]),
        lambda: reconcile_disturbed(scene, spare),
        lambda: export(scene),
    )
    return [_timed(act) for act in acts]


def _timed(act: Callable[[], Step]) -> Step:
    began = time.monotonic()
    step = act()
    step.seconds = round(time.monotonic() - began, 2)
    return step


@contextmanager
def _scene(stack: Stack, whereabouts: Whereabouts, console: Console) -> Iterator[Scene]:
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    keys = whereabouts.environment
    session = boto3.session.Session(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=keys["AWS_REGION"]
    )
    with (
        closing(session.client("s3", endpoint_url=whereabouts.aws_endpoint_url)) as s3,
        closing(session.client("sqs", endpoint_url=whereabouts.sqs_endpoint_url)) as sqs,
        closing(psycopg2.connect(whereabouts.database_url)) as connection,
        Progress(*columns, console=console) as progress,
    ):
        connection.autocommit = True
        yield Scene(
            whereabouts=whereabouts,
            s3=s3,
            sqs=sqs,
            connection=connection,
            progress=progress,
            alive=lambda: not stack.ended(),
            started=datetime.now(UTC),
        )
