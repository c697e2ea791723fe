"""Headers that go out as they came: botocore refuses metadata that is not ASCII, and rewords dates."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_headers: ContextVar[Mapping[str, str] | None] = ContextVar("orca_daemon_verbatim_headers", default=None)


@contextmanager
def sent_with(headers: Mapping[str, str]) -> Iterator[None]:
    """Send the CreateMultipartUpload of this task with these headers, if its client was `prepared`."""
    token = _headers.set(headers)
    try:
        yield
    finally:
        _headers.reset(token)


def prepare(s3: Any) -> None:
    """Let a client send them; a second time changes nothing."""
    name = "before-call.s3.CreateMultipartUpload"
    s3.meta.events.register(name, _add, unique_id="orca-daemon-verbatim-headers")


def _add(params: dict[str, Any], **_: Any) -> None:
    params["headers"].update(_headers.get() or {})
