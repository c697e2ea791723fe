"""Asks a daemon to compare an inventory with the catalog, once more or for the first time."""

from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import code_of
from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.acting.posting import INTERNAL_REPORT, post
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import number, size
from orca_daemon.operations.recorded import Request
from orca_daemon.operations.sending import queue_url
from orca_daemon.reconcile.manifest import MOST_BYTES, Manifest, ManifestError, parse
from orca_daemon.wire.inventory import InventoryPointer, inventory_message
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.wire_model import MalformedError, make


class Compare(Fields):
    """Which inventory."""

    manifest: str
    """`s3://BUCKET/…/manifest.json`."""


async def _preview(console: ConsoleContext, fields: Compare) -> Preview:
    queue_url(console.settings, INTERNAL_REPORT)
    _message(console, fields)
    manifest = await _read(console, fields)
    try:
        files, form = manifest.files, manifest.form
    except ManifestError as error:
        raise ValueError(f"This inventory cannot be compared: {error}.") from None
    known = await console.reader.rows(_EARLIER, {"bucket": manifest.bucket, "created": manifest.created})
    facts = [
        ("Bucket", manifest.bucket),
        ("Inventory of", f"{manifest.created:%Y-%m-%d %H:%M} UTC"),
        ("Data files", f"{number(len(files))} ({form}), {size(sum(file.size or 0 for file in files))}"),
        *[("Compared before", f"as job {row.id}; its reports are replaced") for row in known],
    ]
    return Preview(
        sentence=f"Compare this inventory of {manifest.bucket} with the catalog.",
        count=1,
        facts=facts,
        possible=bool(files),
    )


_EARLIER = """
SELECT id FROM orca.reconcile_job
WHERE orca_archive_location = :bucket AND inventory_creation_time = :created ORDER BY id LIMIT 1
"""


async def _perform(
    console: ConsoleContext, fields: Compare, _progress: Progress, _request: Request
) -> Outcome:
    return await post(console, _message(console, fields), f"a comparison of {fields.manifest}")


def _named(fields: Compare) -> tuple[str, str]:
    bucket, _, key = fields.manifest.strip().removeprefix("s3://").partition("/")
    return bucket, key


def _message(console: ConsoleContext, fields: Compare) -> Outgoing:
    bucket, key = _named(fields)
    region = console.settings.aws.region
    if not fields.manifest.strip().startswith("s3://"):
        raise ValueError("The manifest is named as s3://BUCKET/…/manifest.json.")
    try:
        return inventory_message(
            make(
                InventoryPointer,
                "manifest",
                report_bucket_region=region,
                report_bucket_name=bucket,
                manifest_key=key,
            )
        )
    except MalformedError as error:
        raise ValueError(f"The daemon would reject this: {error}.") from None


async def _read(console: ConsoleContext, fields: Compare) -> Manifest:
    bucket, key = _named(fields)
    try:
        answer: Any = await console.clients.s3.get_object(
            Bucket=bucket, Key=key, Range=f"bytes=0-{MOST_BYTES}"
        )
        async with answer["Body"] as body:
            return parse(await body.read())
    except CALL_ERRORS as error:
        raise ValueError(f"The manifest cannot be read: {code_of(error) or type(error).__name__}.") from None
    except ManifestError as error:
        raise ValueError(f"This is not a manifest: {error}.") from None


ACTION = Action(name="compare", title="Compare", fields=Compare, preview=_preview, perform=_perform)
