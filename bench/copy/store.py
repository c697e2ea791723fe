"""The part of S3 that copies use, as a process: objects have a size and an ETag but no content.

moto serves about 400 requests a second, so a measurement with moto would measure moto; a web framework serves
some 2,000.  This parses HTTP itself, for 20,000.  Without content, objects of terabytes are possible.
`python -m bench.copy.store SECONDS` prints its port.  Each response comes SECONDS after its request, and the
first on a connection twice as late, as its handshake takes as long: the network's latency to S3.
"""

import asyncio
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

DATE = "2026-01-01T00:00:00.000Z"
_PAGE = 1000
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `length` is that of an object in a response to HEAD."""

    status: int = 200
    body: str = ""
    etag: str = ""
    length: int | None = None

    def bytes(self) -> bytes:
        """The response on the wire; without a request id the daemon would not accept it."""
        body = self.body.encode()
        etag = f'ETag: "{self.etag}"\r\n' if self.etag else ""
        length = len(body) if self.length is None else self.length
        return (
            f"HTTP/1.1 {self.status} -\r\nx-amz-request-id: bench\r\nContent-Type: application/xml\r\n"
            f"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n{etag}Content-Length: {length}\r\n\r\n"
        ).encode() + body


class Store:
    """Objects by `/bucket/key`: size and ETag."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[int, str]] = {}
        self._uploads: dict[str, dict[int, tuple[int, str]]] = {}

    def answer(self, verb: str, target: str, headers: Mapping[str, str]) -> Answer:  # noqa: PLR0911  a table
        """Serve one request."""
        raw, _, text = target.partition("?")
        path, query = unquote(raw), parse_qs(text, keep_blank_values=True) if text else {}
        match verb:
            case "HEAD":
                return self._head(path)
            case "PUT" if "uploadId" in query:
                return self._part(headers, query["uploadId"][0], int(query["partNumber"][0]))
            case "PUT" if "x-amz-copy-source" in headers:
                return self._copy(headers, path)
            case "PUT":
                if "size" in query:
                    self._objects[path] = int(query["size"][0]), _digest(path)
                return Answer()
            case "POST" if "uploads" in query:
                upload = f"upload-{len(self._uploads)}"
                self._uploads[upload] = {}
                bucket, _, key = path[1:].partition("/")
                inner = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
                return _xml("InitiateMultipartUploadResult", inner)
            case "POST":
                return self._complete(query["uploadId"][0], path)
            case _ if "uploads" in query:
                return _xml("ListMultipartUploadsResult", f"<Bucket>{path.strip('/')}</Bucket>")
            case _ if "tagging" in query:
                return _xml("Tagging", "<TagSet/>")
            case _:
                return self._list(path.strip("/"), {name: values[0] for name, values in query.items()})

    def _head(self, path: str) -> Answer:
        if path.strip("/").count("/") == 0:
            return Answer()
        if path not in self._objects:
            return Answer(status=404)
        size, etag = self._objects[path]
        return Answer(etag=etag, length=size)

    def _copy(self, headers: Mapping[str, str], path: str) -> Answer:
        if headers.get("if-none-match") == "*" and path in self._objects:
            return Answer(412, "<Error><Code>PreconditionFailed</Code></Error>")
        self._objects[path] = self._objects[_source(headers)]
        return _result("CopyObjectResult", self._objects[path][1])

    def _part(self, headers: Mapping[str, str], upload: str, number: int) -> Answer:
        span = headers["x-amz-copy-source-range"]
        first, last = span.removeprefix("bytes=").split("-")
        etag = _digest(f"{_source(headers)} {span}")
        self._uploads[upload][number] = int(last) - int(first) + 1, etag
        return _result("CopyPartResult", etag)

    def _complete(self, upload: str, path: str) -> Answer:
        parts = self._uploads.pop(upload)
        digests = b"".join(bytes.fromhex(parts[n][1]) for n in sorted(parts))
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
        self._objects[path] = sum(size for size, _ in parts.values()), etag
        return _xml("CompleteMultipartUploadResult", f'<ETag>"{etag}"</ETag>')

    def _list(self, bucket: str, query: Mapping[str, str]) -> Answer:
        after = query.get("continuation-token") or query.get("marker") or ""
        prefix = f"/{bucket}/"
        names = (path.removeprefix(prefix) for path in self._objects if path.startswith(prefix))
        keys = sorted(key for key in names if key > after and key.startswith(query.get("prefix", "")))
        page, more = keys[:_PAGE], len(keys) > _PAGE
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
            f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
            for size, etag in [self._objects[prefix + key]]
        )
        last = page[-1] if more else ""
        following = f"<NextContinuationToken>{last}</NextContinuationToken><NextMarker>{last}</NextMarker>"
        return _xml(
            "ListBucketResult",
            f"<Name>{bucket}</Name><Prefix/><KeyCount>{len(page)}</KeyCount><MaxKeys>{_PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{following * more}{contents}",
        )


def _source(headers: Mapping[str, str]) -> str:
    return "/" + unquote(headers["x-amz-copy-source"]).lstrip("/")


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _result(name: str, etag: str) -> Answer:
    return _xml(name, f"<LastModified>{DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag>")


def _xml(name: str, inner: str) -> Answer:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return Answer(body=f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{space}">{inner}</{name}>')


class Connection(asyncio.Protocol):
    """One connection: requests with a body of known length, one after another."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store, self._seconds = store, seconds
        self._extra = seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
            }
            last = end + len(_END) + int(headers.get("content-length", 0))
            if headers.get("expect") == "100-continue" and len(self._buffer) < last:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(self._buffer) < last:
                return
            self._buffer = self._buffer[last:]
            verb, target, _ = line.split(" ")
            answer = self._store.answer(verb, target, headers).bytes()
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds + self._extra, self._transport.write, answer)
            self._extra = 0.0


async def serve(seconds: float) -> None:
    """Serve until killed."""
    store = Store()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(store, seconds), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
