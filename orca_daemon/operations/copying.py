"""One copy of one object, made now, by the code that makes all copies."""

from collections.abc import Callable

from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy import Copied, Copier, CopyError, CopyProgress, S3Object
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.queues.recovery import options
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules


async def copy(
    settings: Settings,
    source: S3Object,
    target: S3Object,
    *,
    chunk_mib: int | None = None,
    progress: Callable[[CopyProgress], None] = lambda _: None,
) -> Copied:
    """Copy an object on the server side, and verify the copy; a target that is equal is left as it is.

    Args:
        settings: of AWS, of copies, and of the buckets that may be copied.
        source: the object.
        target: the copy.
        chunk_mib: size of a part; default: the setting.
        progress: called after each part.

    Raises:
        Reject: the settings forbid it, or the copy failed.
        Refused, DependencyDown: S3 refuses or cannot be reached.
        SettingsError: AWS is not set up.
    """
    if refusal := CopyRules.of(settings).refusal(source.bucket, target.bucket):
        raise Reject(refusal)
    async with connect(settings) as clients:
        copier = Copier(clients.s3, options(settings.copies), progress)
        try:
            return await copier.copy(source, target, chunk=chunk_mib * MIB if chunk_mib else None)
        except (CopyError, NotYet) as error:  # by hand there is no other attempt
            raise Reject(str(error)) from error
