"""One request for a data file, by a URL that the daemon presigned, and the meaning of its failure."""

import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead
from urllib.error import HTTPError
from urllib.request import urlopen

from orca_daemon.aws.errors import REQUEST_IDS, Meaning, meaning

_CHUNK = 1 << 20
_SILENCE = 60
"""Seconds without a byte after which a connection is closed."""
_LARGEST_ANSWER = 64 << 10
"""Bytes of an error answer that are read."""
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,500})</Message>")


class DataFileError(Exception):
    """A data file differs from the manifest, cannot be read, or exceeds a limit."""


class DiskFullError(Exception):
    """A file cannot be written."""


class S3Error(Exception):
    """S3 did not deliver a file; `meaning` says whether a retry can help."""

    def __init__(self, reason: str, meaning: Meaning) -> None:
        super().__init__(reason)
        self.meaning = meaning


class NotOfS3Error(Exception):
    """The answer is not S3's."""


ANSWER_ERRORS = (HTTPError, HTTPException, NotOfS3Error, OSError)


def chunks(url: str, trust: ssl.SSLContext | None) -> Iterator[bytes]:
    """The content at the URL, in pieces.  Raises one of `ANSWER_ERRORS`."""
    with urlopen(url, timeout=_SILENCE, context=trust) as body:  # noqa: S310  signed by the daemon
        length = body.headers.get("Content-Length", "")
        proven = _of_s3(body.headers) and body.headers.get("ETag") and length.isdecimal()
        if url.startswith("http") and not proven:
            raise NotOfS3Error
        missing = int(length)
        while chunk := body.read(_CHUNK):
            missing -= len(chunk)
            yield chunk
        if missing:  # `read` with a size does not raise if the body is cut off
            raise IncompleteRead(b"", missing)


def failure(error: BaseException, key: str) -> S3Error:
    """The S3Error for one of `ANSWER_ERRORS`, for the file with this key."""
    problem = f"the data file {key} cannot be fetched"
    if not isinstance(error, HTTPError):
        text = "the answer is not S3's" if isinstance(error, NotOfS3Error) else type(error).__name__
        return S3Error(f"{problem} ({text})", Meaning.PASSING)
    code, meant = _meaning_of(error.code, error.headers, _body(error))
    return S3Error(f"{problem}: S3 answers {error.code}{f' {code}' if code else ''}", meant)


def _body(error: HTTPError) -> bytes:
    """The body of an error answer; empty if it cannot be read."""
    with error, suppress(HTTPException, OSError):
        return error.read(_LARGEST_ANSWER)
    return b""


def _meaning_of(status: int, headers: Message, body: bytes) -> tuple[str, Meaning]:
    """The code of an error answer, and its meaning."""
    match, message = _CODE.search(body), _MESSAGE.search(body)
    if match is None and not _of_s3(headers):
        # A proxy's page, as every error of S3 has a code.  A 403 or 404 of a proxy must not reject the
        # message.
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        return "", Meaning.THROTTLED if throttled else Meaning.PASSING
    code = match[1].decode("ascii", "replace") if match else ""
    return code, meaning(code, status, message[1].decode("utf-8", "replace") if message else "")


def _of_s3(headers: Message) -> bool:
    return any(headers.get(name) for name in REQUEST_IDS)
