"""`docs/orca-names.md` names everything that the Lambdas' documents name, and what it names here exists."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer

from orca_daemon import settings
from orca_daemon.cli import app
from orca_daemon.ops.log_events import LEVELS
from orca_daemon.settings.first_versions import HOST_PARAMETER, PASSWORD_PARAMETER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "orca-names.md").read_text("utf-8")
SECTIONS = {
    heading: body
    for heading, _, body in (part.partition("\n") for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
}
SOURCE = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "orca_daemon").rglob("*.py")))
EVENTS = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', SOURCE)) | {f"message.{outcome}" for outcome in LEVELS}

TASK = (
    "task(job_id, orca_archive_location, internal_report_queue_url, message_receipt_handle, db_connect_info)"
)
DOCUMENTED: dict[str, list[str]] = {
    "The shared library": [
        "create_status_for_job(job_id, granule_id, archive_destination, files, db_queue_url)",
        "update_status_for_file(job_id, granule_id, filename, orca_status, error_message, db_queue_url)",
        "post_entry_to_fifo_queue(new_data, request_method, db_queue_url)",
        "post_entry_to_standard_queue(new_data, recovery_queue_url)",
        "get_aws_region()",
        "RequestMethod",
        "OrcaStatus",
        "get_configuration()",
        "get_admin_connection(config, database)",
        "get_user_connection(config)",
        "retry_operational_error(max_retries, backoff_in_seconds, backoff_factor)",
        "PREFIX",
        "AWS_REGION",
    ],
    "Reconciliation": [
        '{"event": {"jobId", "orcaArchiveLocation", "messageReceiptHandle"}}',
        '{"jobId"}',
        TASK,
        "generate_reports(job_id, orca_archive_location, engine)",
        "generate_phantom_reports_sql()",
        "generate_orphan_reports_sql()",
        "generate_mismatch_reports_sql()",
        "retry_error(max_retries, backoff_in_seconds, backoff_factor)",
        "remove_job_from_queue(internal_report_queue_url, message_receipt_handle)",
        "handler(event, context)",
        "INTERNAL_REPORT_QUEUE_URL",
        "DB_CONNECT_INFO_SECRET_ARN",
    ],
    "The export": [
        "lambda_handler(event, context)",
        "db_connections_get_secret(client, secret_name)",
        "connect_to_db()",
        "close_db_connection(conn)",
        "format_time(date_time)",
        "generate_file_key(table_name, end_time, extension)",
        "generate_new_entry_query(table_name, start_time, end_time)",
        "DateFormatError",
        "get_latest_filename(s3_client, bucket_name, table_name)",
        "get_last_ingest_time(bucket_name, table_name)",
        "parquet_data(py_dict)",
        "query_db(sql_string, connect_to_db, close_db_connection, dict_name, kwargs)",
        'dict_name = ""',
        "write_to_s3(s3_client, bucket_name, file_key, data)",
    ],
    "Disaster recovery by rule": [
        "handler(event, context)",
        "event.Records[].s3.bucket.name",
        "event.Records[].s3.object.key",
        "event.glacierBucket",
        "protected_bucket",
        "public_bucket",
        "bucket_map",
        "copy_retries",
        "copy_retry_sleep_secs",
        "success",
        "source_bucket",
        "source_key",
        "target_bucket",
        "err_msg",
        "CopyRequestError",
    ],
    "Copies with a database": [
        "handler(event, context)",
        "COPY_RETRIES",
        "COPY_RETRY_SLEEP_SECS",
        "DATABASE_PORT",
        "DATABASE_NAME",
        "DATABASE_USER",
        "drdb-user-pass",
        "drdb-host",
        "inprogress",
        "complete",
        "error",
        "source_key",
        "source_bucket",
        "target_bucket",
        "success",
        "err_msg",
        "request_id",
        "CopyRequestError",
    ],
}
"""What the documents name, by the section of the page."""


def rows(section: str) -> Iterator[tuple[str, str, str]]:
    """The rows of a section's table: there, here, notes."""
    for line in SECTIONS[section].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] != "There":
            there, here, *notes = cells
            yield there, here, " ".join(notes)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


ALL = [(section, *row) for section in SECTIONS for row in rows(section)]


def test_the_page_has_a_section_for_each_document() -> None:
    assert set(SECTIONS) == set(DOCUMENTED)


@pytest.mark.parametrize("section", DOCUMENTED)
def test_everything_that_a_document_names_has_a_row(section: str) -> None:
    named = [name for there, _, _ in rows(section) for name in spans(there)]
    assert [name for name in DOCUMENTED[section] if name not in named] == []


@pytest.mark.parametrize(
    ("section", "there", "here", "notes"), ALL, ids=[f"{each[0]}: {each[1]}" for each in ALL]
)
def test_what_a_row_names_here_exists(section: str, there: str, here: str, notes: str) -> None:
    named = spans(here)
    assert named, f"{section}: {there} leads nowhere ({notes})"
    assert [name for name in named if not exists(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "orca_daemon.export.files.newest",
        "orca_daemon.export.keys",
        "export.faild",
        "copies.retries",
        "COPY_RETRYS",
        "orca-daemon exports",
        "orca_daemon/reconcile/nothing.sql",
    ],
)
def test_what_does_not_exist_is_noticed(name: str) -> None:
    assert not exists(name)


def test_the_two_parameters_are_those_of_the_document() -> None:
    assert (HOST_PARAMETER, PASSWORD_PARAMETER) == ("ssm:drdb-host", "ssm:drdb-user-pass")


def exists(name: str) -> bool:
    """Whether this is in the code: as a name, file, setting, event, command, or a variable that is read."""
    if name.startswith("orca-daemon "):
        return name.split()[1] in typer.main.get_group(app).commands
    if "/" in name:
        return (ROOT / name).is_file()
    if name.startswith("orca_daemon."):
        return _importable(name)
    if name.isupper():
        return name in settings.ORCA_NAMES
    return name in EVENTS or _is_setting(name)


def _importable(name: str) -> bool:
    module, parts = name, list[str]()
    while module:
        try:
            found = import_module(module)
        except ModuleNotFoundError:
            module, _, part = module.rpartition(".")
            parts.insert(0, part)
            continue
        for part in parts:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def _is_setting(name: str) -> bool:
    section, _, key = name.partition(".")
    if section == "queues":
        return key.rpartition(".")[2] in settings.QueueSection.model_fields
    field = settings.Settings.model_fields.get(section)
    return field is not None and key in getattr(field.annotation, "model_fields", {})
