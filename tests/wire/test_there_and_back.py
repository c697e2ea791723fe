"""What is written is read again as it was."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.wire import copy, inventory, status
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.inventory import ExportRequest, InventoryPointer
from orca_daemon.wire.shape import LARGEST_INTEGER
from orca_daemon.wire.status import Grouping, RecoveryStatus, UpdateFile

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
names = texts.filter(bool)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  naive is asked for
sizes = st.none() | st.integers(0, LARGEST_INTEGER)

updates = st.builds(
    lambda **fields: UpdateFile(**fields),  # noqa: PLW0108  it would look at annotations it cannot read
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
    restore_destination=names,
    s3_multipart_chunksize_mb=sizes,
    source_key=names,
    target_key=names,
    source_bucket=names,
)


@given(update=updates, grouping=st.sampled_from(Grouping))
def test_an_update(update: UpdateFile, grouping: Grouping) -> None:
    sent = status.update_message(update, grouping=grouping)
    assert sent.body.isascii()
    assert status.decode(sent.body, sent.attributes) == update


@given(request=requests)
def test_a_copy_request(request: CopyRequest) -> None:
    assert copy.decode(copy.copy_message(request).body) == request


@given(region=names, bucket=names, folder=texts)
def test_an_inventory_pointer(region: str, bucket: str, folder: str) -> None:
    pointer = InventoryPointer(
        report_bucket_region=region, report_bucket_name=bucket, manifest_key=f"{folder}/manifest.json"
    )
    assert inventory.decode(inventory.inventory_message(pointer).body) == pointer


@given(tables=st.lists(names, min_size=1))
def test_an_export_request(tables: list[str]) -> None:
    request = ExportRequest(tables_to_query=tuple(tables))
    assert inventory.decode(inventory.export_message(request).body) == request
