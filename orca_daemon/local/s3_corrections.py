"""Corrects, in front of moto, where its S3 differs from AWS's.

1. `CopySourceIfMatch` is honoured, by CopyObject and UploadPartCopy; moto ignores it.
2. UploadPartCopy refuses an archived source that is not restored; moto copies it.
3. A second restore while one is running answers RestoreAlreadyInProgress; moto starts over.
4. CopyObject gives its target the ETag of a single part; moto keeps the multipart ETag of the source.
5. UploadPartCopy reads the range that it copies; moto reads the whole source for every part.
6. ListMultipartUploads returns when each upload was initiated; moto returns a date in 2010.
7. UploadPartCopy refuses a range of an object of 5 MiB or less; moto copies it.
8. CopyObject with `If-None-Match: *` is refused if the target exists; moto replaces it.

8. A restore of DEEP_ARCHIVE by the tier Expedited is refused; moto ignores the tier.

What restores do over time is in `s3_restores`.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.s3 import models
from moto.s3.exceptions import NoSuchUpload, S3ClientError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCOUNT = "123456789012"
"""The account that moto assumes for every request."""
NO_RANGE = 5 * 1024**2
"""Bytes of the largest object whose ranges cannot be copied (AWS: UploadPartCopy)."""
_MOTO_TIME = b"2010-11-10T20:48:33.000Z"
_BEGAN: dict[str, str] = {}
"""Upload id to the time when it was initiated."""


class S3RefusalError(Exception):
    """An error response of S3."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    @property
    def body(self) -> bytes:
        """The response's XML."""
        return (
            f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>{self}</Message></Error>".encode()
        )


class Corrections:
    """WSGI middleware: answers requests that moto would answer wrongly, and passes on all others."""

    def __init__(self, moto: "WSGIApplication") -> None:
        self._moto = moto
        _patch()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        try:
            for check in (_check_copy, _check_restore):
                check(environ)
        except S3RefusalError as refusal:
            body = refusal.body
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            start(f"{refusal.status.value} {refusal.status.phrase}", headers)
            return [body]
        answer = self._moto(environ, start)
        if environ["REQUEST_METHOD"] == "GET" and "uploads" in _query(environ):
            return [_with_times(b"".join(answer))]
        return answer


def _check_copy(environ: "WSGIEnvironment") -> None:
    source = environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if environ["REQUEST_METHOD"] != "PUT" or not source:
        return
    key = _key(source)
    if key is None:
        return
    wanted = environ.get("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH")
    if wanted and wanted.strip('"') != key.etag.strip('"'):
        raise S3RefusalError(
            HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "the source is another one"
        )
    if environ.get("HTTP_IF_NONE_MATCH") == "*" and _key(_path(environ), decoded=True) is not None:
        raise S3RefusalError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "the target exists")
    in_archive = key.storage_class in {"GLACIER", "DEEP_ARCHIVE"}
    if in_archive and 'ongoing-request="false"' not in key.response_dict.get("x-amz-restore", ""):
        raise S3RefusalError(HTTPStatus.FORBIDDEN, "InvalidObjectState", "the source is archived")
    if "HTTP_X_AMZ_COPY_SOURCE_RANGE" in environ and key.size <= NO_RANGE:
        raise S3RefusalError(
            HTTPStatus.BAD_REQUEST, "InvalidRequest", "the source is too small to copy a range of"
        )


def _check_restore(environ: "WSGIEnvironment") -> None:
    if environ["REQUEST_METHOD"] == "POST" and "restore" in _query(environ):
        key = _key(_path(environ), decoded=True)
        if key and 'ongoing-request="true"' in key.response_dict.get("x-amz-restore", ""):
            raise S3RefusalError(HTTPStatus.CONFLICT, "RestoreAlreadyInProgress", "the restore is running")
        if key and key.storage_class == "DEEP_ARCHIVE" and b">Expedited<" in _peeked(environ):
            # AWS documents that the combination is not available, and no code for it.
            raise S3RefusalError(
                HTTPStatus.BAD_REQUEST, "InvalidArgument", "the storage class has no Expedited restores"
            )


def _peeked(environ: "WSGIEnvironment") -> bytes:
    """The body of a small request, which moto can read again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return bytes(body)


def _path(environ: "WSGIEnvironment") -> str:
    """`/bucket/key`, decoded; WSGI passes its bytes as Latin-1 (PEP 3333)."""
    return str(environ["PATH_INFO"]).encode("latin-1").decode()


def _query(environ: "WSGIEnvironment") -> dict[str, list[str]]:
    return parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _with_times(listing: bytes) -> bytes:
    """Replace moto's times; the length must not change, as its header has been sent."""

    def corrected(match: re.Match[bytes]) -> bytes:
        began = _BEGAN.get(match[1].decode())
        return match[0].replace(_MOTO_TIME, began.encode()) if began else match[0]

    return re.sub(rb"<UploadId>(.*?)</UploadId>.*?</Initiated>", corrected, listing, flags=re.DOTALL)


def _key(path: str, *, decoded: bool = False) -> Any:
    """The object that `/bucket/key?versionId=…` names; None if it does not exist."""
    split = None if decoded else urlsplit(path)
    plain = path if split is None else unquote(split.path)
    version = parse_qs(split.query).get("versionId", [None])[0] if split else None
    bucket, _, key = plain.lstrip("/").partition("/")
    try:
        return models.s3_backends[ACCOUNT]["aws"].get_object(bucket, key, version_id=version)
    except S3ClientError:
        return None


def _patch() -> None:
    backend: Any = models.S3Backend
    if getattr(backend, "corrected", False):
        return
    backend.corrected = True
    backend.upload_part_copy = _copy_range
    backend.create_multipart_upload = _timed(backend.create_multipart_upload)
    backend.copy_object = _in_one_piece(backend.copy_object)


def _copy_range(
    self: Any,
    dest_bucket_name: str,
    multipart_id: str,
    part_id: int,
    src_bucket_name: str,
    src_key_name: str,
    src_version_id: str | None,
    start_byte: int | None,
    end_byte: int | None,
) -> Any:
    multipart = self.get_bucket(dest_bucket_name).multiparts.get(multipart_id)
    if multipart is None:
        raise NoSuchUpload(upload_id=multipart_id)
    source = self.get_object(src_bucket_name, src_key_name, version_id=src_version_id)
    with source.lock:
        first = start_byte or 0
        last = source.size - 1 if end_byte is None else end_byte
        source._value_buffer.seek(first)  # noqa: SLF001  moto has no public method to read a range
        value = source._value_buffer.read(last + 1 - first)  # noqa: SLF001
    return multipart.set_part(part_id, value)


def _timed(create: Callable[..., Any]) -> Callable[..., Any]:
    def corrected(*arguments: Any, **options: Any) -> Any:
        upload = create(*arguments, **options)
        _BEGAN[upload.id] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return upload

    return corrected


def _in_one_piece(copy: Callable[..., None]) -> Callable[..., None]:
    def corrected(self: Any, src_key: Any, dest_bucket_name: str, dest_key_name: str, **options: Any) -> None:
        copy(self, src_key, dest_bucket_name, dest_key_name, **options)
        copied = self.get_object(dest_bucket_name, dest_key_name)
        copied.multipart = None
        copied._etag = None  # noqa: SLF001  moto computes it from the content when it is next read

    return corrected
