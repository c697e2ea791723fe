"""The part of S3 that copies use, as a process: objects have a size and an ETag but no content.

moto serves about 400 requests a second, so a measurement with moto would measure moto.  Without content,
objects of terabytes are possible.  `python -m bench.copy.store SECONDS` prints its port; every byte in each
direction is delayed by SECONDS, like the network latency to S3.
"""

import asyncio
import hashlib
import sys
from contextlib import suppress
from urllib.parse import unquote

from aiohttp import web

_XML = "<?xml version='1.0'?>"
_REQUEST_ID = {"x-amz-request-id": "bench"}
"""Each response of S3 has a request id; the daemon accepts no response without it."""


class Store:
    """Objects by `/bucket/key`: size and ETag."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[int, str]] = {}
        self._uploads: dict[str, dict[int, tuple[int, str]]] = {}

    async def handle(self, request: web.Request) -> web.Response:  # noqa: PLR0911  a table
        """Serve one request."""
        path, query = unquote(request.raw_path.partition("?")[0]), request.query
        match request.method:
            case "HEAD":
                return self._head(path)
            case "PUT" if "uploadId" in query:
                return self._part(request, query["uploadId"], int(query["partNumber"]))
            case "PUT" if "x-amz-copy-source" in request.headers:
                return self._copy(request, path)
            case "PUT":
                self._objects[path] = int(query["size"]), _digest(path)
                return web.Response(headers=_REQUEST_ID)
            case "POST" if "uploads" in query:
                upload = str(len(self._uploads))
                self._uploads[upload] = {}
                return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
            case "POST":
                return await self._complete(request, path)
            case _ if "uploads" in query:
                return _xml("ListMultipartUploadsResult", f"<Bucket>{path.strip('/')}</Bucket>")
            case _:
                return _xml("Tagging", "<TagSet/>")

    def _head(self, path: str) -> web.Response:
        if path not in self._objects:
            return web.Response(status=404, headers={"Content-Length": "0", **_REQUEST_ID})
        size, etag = self._objects[path]
        return web.Response(headers={"Content-Length": str(size), "ETag": f'"{etag}"', **_REQUEST_ID})

    def _copy(self, request: web.Request, path: str) -> web.Response:
        self._objects[path] = self._objects[_source(request)]
        return _xml("CopyObjectResult", f'<ETag>"{self._objects[path][1]}"</ETag>')

    def _part(self, request: web.Request, upload: str, number: int) -> web.Response:
        first, last = request.headers["x-amz-copy-source-range"].removeprefix("bytes=").split("-")
        etag = _digest(f"{_source(request)} {first} {last}")
        self._uploads[upload][number] = int(last) - int(first) + 1, etag
        return _xml("CopyPartResult", f'<ETag>"{etag}"</ETag>')

    async def _complete(self, request: web.Request, path: str) -> web.Response:
        await request.read()
        parts = self._uploads.pop(request.query["uploadId"])
        digests = b"".join(bytes.fromhex(parts[n][1]) for n in sorted(parts))
        digest = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        self._objects[path] = sum(size for size, _ in parts.values()), f"{digest}-{len(parts)}"
        return _xml("CompleteMultipartUploadResult", f'<ETag>"{self._objects[path][1]}"</ETag>')


def _source(request: web.Request) -> str:
    return "/" + unquote(request.headers["x-amz-copy-source"]).lstrip("/")


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _xml(name: str, inner: str) -> web.Response:
    return web.Response(
        text=f"{_XML}<{name}>{inner}</{name}>", content_type="application/xml", headers=_REQUEST_ID
    )


async def _forward_delayed(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Forward each chunk `seconds` after its arrival; this adds latency but does not limit the bandwidth."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            loop.call_later(seconds, writer.write, chunk)
    loop.call_later(seconds, writer.close)


async def serve(seconds: float) -> None:
    """Serve until killed."""
    runner = web.AppRunner(_app(Store()), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]

    tasks: set[object] = (
        set()
    )  # the loop has only weak references: tasks could be garbage-collected while they run

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        server_reader, server_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(
            _forward_delayed(reader, server_writer, seconds), _forward_delayed(server_reader, writer, seconds)
        )

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(proxy.sockets[0].getsockname()[1], flush=True)
    await proxy.serve_forever()


def _app(store: Store) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", store.handle)
    return app


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
