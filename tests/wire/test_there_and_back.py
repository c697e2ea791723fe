"""A message that is written and read again is unchanged."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.wire import copy, inventory, status
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.file_reference import LARGEST_ROW_KEY
from orca_daemon.wire.inventory import ExportRequest, InventoryPointer
from orca_daemon.wire.status import Grouping, RecoveryStatus, UpdateFile
from orca_daemon.wire.wire_model import LARGEST_INTEGER

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, max_size=LARGEST_ROW_KEY // 4 // 4)
tables = st.text(characters, min_size=1, max_size=255)
keys = st.text(characters, min_size=1, max_size=256)
buckets = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", fullmatch=True)
regions = st.from_regex(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", fullmatch=True)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis requires naive limits
sizes = st.none() | st.integers(0, LARGEST_INTEGER)

updates = st.builds(
    lambda **fields: UpdateFile(**fields),  # noqa: PLW0108  hypothesis cannot read the model's annotations
    job_id=texts,
    collection_id=st.none() | texts,
    granule_id=texts,
    filename=texts,
    last_update=moments,
    status=st.sampled_from(RecoveryStatus),
    completion_time=st.none() | moments,
    error_message=st.none() | texts,
).filter(lambda update: update.status is not RecoveryStatus.FAILED or bool(update.error_message))

requests = st.builds(
    lambda **fields: CopyRequest(**fields),  # noqa: PLW0108  as above
    job_id=texts,
    collection_id=st.none() | texts,
    granule_id=texts,
    filename=texts,
    restore_destination=buckets,
    s3_multipart_chunksize_mb=sizes,
    source_key=keys,
    target_key=keys,
    source_bucket=buckets,
)


@given(update=updates, grouping=st.sampled_from(Grouping))
def test_an_update(update: UpdateFile, grouping: Grouping) -> None:
    sent = status.update_message(update, grouping=grouping)
    assert sent.body.isascii()
    assert status.decode(sent.body, sent.attributes) == update


@given(request=requests)
def test_a_copy_request(request: CopyRequest) -> None:
    assert copy.decode(copy.copy_message(request).body) == request


@given(region=regions, bucket=buckets, folder=st.text(characters, max_size=250))
def test_an_inventory_pointer(region: str, bucket: str, folder: str) -> None:
    pointer = InventoryPointer(
        report_bucket_region=region, report_bucket_name=bucket, manifest_key=f"{folder}/manifest.json"
    )
    assert inventory.decode(inventory.inventory_message(pointer).body) == pointer


@given(tables=st.lists(tables, min_size=1))
def test_an_export_request(tables: list[str]) -> None:
    request = ExportRequest(tables_to_query=tuple(tables))
    assert inventory.decode(inventory.export_message(request).body) == request
