"""One request for a data file by a URL that the daemon signed, and what its failure means."""

import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead
from urllib.error import HTTPError
from urllib.request import urlopen

from orca_daemon.aws.errors import Meaning, meaning

_CHUNK = 1 << 20
_SILENCE = 60
"""Seconds without a byte after which a connection is given up."""
_LARGEST_ANSWER = 64 << 10
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,500})</Message>")
_REQUEST_IDS = ("x-amz-request-id", "x-amzn-requestid")
"""Each answer of S3 has one; a proxy, or the page of a hotel, has none."""


class DataFileError(Exception):
    """A data file is not what the manifest says, cannot be read, or is larger than it may be."""


class DiskFullError(Exception):
    """A file cannot be written."""


class S3Error(Exception):
    """S3 did not give us a file; `meaning` says what may come of it."""

    def __init__(self, reason: str, found: Meaning) -> None:
        super().__init__(reason)
        self.meaning = found


class NotOfS3Error(Exception):
    """What answered was not S3."""


ANSWER_ERRORS = (HTTPError, HTTPException, NotOfS3Error, OSError)


def chunks(url: str, trust: ssl.SSLContext | None) -> Iterator[bytes]:
    """What lies at the URL, in pieces.  Raises one of `ANSWER_ERRORS`."""
    with urlopen(url, timeout=_SILENCE, context=trust) as body:  # noqa: S310  signed by the daemon
        length = body.headers.get("Content-Length", "")
        proven = _of_s3(body.headers) and body.headers.get("ETag") and length.isdecimal()
        if url.startswith("http") and not proven:
            raise NotOfS3Error
        missing = int(length)
        while chunk := body.read(_CHUNK):
            missing -= len(chunk)
            yield chunk
        if missing:  # read in pieces, a body that is cut off simply ends
            raise IncompleteRead(b"", missing)


def failure(error: BaseException, key: str) -> S3Error:
    """One of `ANSWER_ERRORS` in words, and what it means, for the file of this key."""
    what = f"the data file {key} cannot be fetched"
    if not isinstance(error, HTTPError):
        text = "what answers is not S3" if isinstance(error, NotOfS3Error) else type(error).__name__
        return S3Error(f"{what} ({text})", Meaning.PASSING)
    code, found = _judged(error.code, error.headers, _body(error))
    reason = f"{what}: S3 answers {error.code}{f' {code}' if code else ''}"
    return S3Error(reason, found)


def _body(error: HTTPError) -> bytes:
    """What S3 says of an error, as far as it comes: that it breaks off is no error of its own."""
    with error, suppress(HTTPException, OSError):
        return error.read(_LARGEST_ANSWER)
    return b""


def _judged(status: int, headers: Message, body: bytes) -> tuple[str, Meaning]:
    """The code of an error answer, and what it means."""
    found, sentence = _CODE.search(body), _MESSAGE.search(body)
    if found is None and not _of_s3(headers):
        # A page of a proxy: every error of S3 has a code.  Its status is believed where it blames nobody.
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        return "", Meaning.THROTTLED if throttled else Meaning.PASSING
    code = found[1].decode("ascii", "replace") if found else ""
    return code, meaning(code, status, sentence[1].decode("utf-8", "replace") if sentence else "")


def _of_s3(headers: Message) -> bool:
    return any(headers.get(name) for name in _REQUEST_IDS)
