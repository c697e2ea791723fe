"""The library with which other programs send messages to the queues: synchronous, and quick to import.

Names and arguments are those of `orca_shared`, ORCA's own shared library, with `collection_id` as a keyword.
The `OrcaStatus` of recoveries is in `recovery` (and here), that of reconciliations in `reconciliation`;
`database` has the remaining functions of `orca_shared`.
"""

from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.catalog import post_all_to_metadata_queue, post_to_metadata_queue
from orca_daemon.producer.queue import SendError, get_aws_region, send
from orca_daemon.producer.recovery import (
    OrcaStatus,
    create_status_for_job,
    create_status_for_jobs,
    post_entries_to_fifo_queue,
    post_entries_to_standard_queue,
    post_entry_to_fifo_queue,
    post_entry_to_standard_queue,
    update_status_for_file,
    update_status_for_files,
)
from orca_daemon.producer.restore import post_restore_request
from orca_daemon.wire.status import Grouping, RequestMethod

__all__ = [
    "Grouping",
    "OrcaStatus",
    "RequestMethod",
    "SendError",
    "Sent",
    "create_status_for_job",
    "create_status_for_jobs",
    "get_aws_region",
    "post_all_to_metadata_queue",
    "post_entries_to_fifo_queue",
    "post_entries_to_standard_queue",
    "post_entry_to_fifo_queue",
    "post_entry_to_standard_queue",
    "post_restore_request",
    "post_to_metadata_queue",
    "send",
    "send_batch",
    "update_status_for_file",
    "update_status_for_files",
]
