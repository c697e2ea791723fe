"""The examples of scheduled exports: a message that the daemon accepts, a schedule and a CronJob."""

import json
from pathlib import Path

import botocore.session
import yaml
from botocore.validate import ParamValidator
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.export.tables import allowed, choose
from orca_daemon.settings import ExportSection
from orca_daemon.wire.inventory import ExportRequest, decode

DEPLOY = Path(__file__).parents[2] / "deploy"
MESSAGE = (DEPLOY / "eventbridge/export-message.json").read_text("utf-8")
SCHEDULE = json.loads((DEPLOY / "eventbridge/export-schedule.json").read_text("utf-8"))
CRONJOB = yaml.safe_load((DEPLOY / "k8s/examples/export-cronjob.yaml").read_text("utf-8"))


def test_the_message_is_one_that_the_daemon_takes() -> None:
    message = decode(MESSAGE)

    assert isinstance(message, ExportRequest)
    chosen, refused = choose(message.tables_to_query, allowed(ExportSection()))
    assert refused is None
    assert all(table.change_times for table in chosen)


def test_the_schedule_sends_that_message_and_has_the_shape_of_one() -> None:
    model = botocore.session.get_session().get_service_model("scheduler")
    shape = model.operation_model("CreateSchedule").input_shape
    assert shape is not None
    report = ParamValidator().validate(SCHEDULE, shape)

    assert not report.has_errors(), report.generate_report()
    assert json.loads(SCHEDULE["Target"]["Input"]) == json.loads(MESSAGE)


def test_the_cronjob_runs_a_command_that_exists() -> None:
    pod = CRONJOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command, *tables = container["args"]
    options = [argument for argument in tables if argument.startswith("--")]
    output = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout

    assert choose([name for name in tables if name not in options], allowed(ExportSection()))[1] is None
    assert all(option in output for option in options)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
