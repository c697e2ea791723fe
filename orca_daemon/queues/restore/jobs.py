"""The id of a request's job: the given one, or one that is the same at each delivery of the message."""

from uuid import UUID, uuid5

from orca_daemon.aws.dead_letter import letter
from orca_daemon.db import restores
from orca_daemon.db.database import Database
from orca_daemon.engine.message import Envelope
from orca_daemon.wire.outgoing import digest
from orca_daemon.wire.restore import RestoreRequest

NAMESPACE = UUID("6f8f3c2a-5d0e-5b7b-9a55-0d6c1f4e2b90")
"""For UUIDs of version 5 that are made of message ids."""


def digest_of(envelope: Envelope) -> str:
    """A digest of the body, by which a request is known again when it is sent again."""
    return digest(envelope.body)


async def job_of(database: Database, request: RestoreRequest, envelope: Envelope) -> str:
    """The id of the job.

    A message that comes back from the dead-letter queue has a new id: its job is the one of its evidence,
    if SQS itself moved it, or the unfinished one of the same body.

    Raises:
        DependencyDown: the database does not answer.
        NotYet: its table does not exist.
    """
    if request.job_id is not None:
        return request.job_id
    unfinished = await database.transact(restores.unfinished, digest_of(envelope))
    return unfinished or str(uuid5(NAMESPACE, original_id(envelope)))


def original_id(envelope: Envelope) -> str:
    """The id of the message when it was first sent, as far as that is known."""
    given = letter(envelope).evidence.get("message_id")
    return given if isinstance(given, str) and given else envelope.id
