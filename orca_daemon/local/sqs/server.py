"""The HTTP server of SQS: the header X-Amz-Target names the action; requests and answers are JSON."""

import inspect
import json
import re
from typing import Any
from uuid import uuid4

from aiohttp import web

from orca_daemon.engine.memory import RequestRefusedError
from orca_daemon.local.sqs.actions import Messages
from orca_daemon.local.sqs.administration import Queues
from orca_daemon.local.sqs.catalog import Catalog
from orca_daemon.local.sqs.errors import answer

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CONTENT = "application/x-amz-json-1.0"


class SqsServer:
    """Serves all queues on one port between `start` and `stop`, on the event loop that called `start`."""

    def __init__(self, *, region: str = "us-west-2") -> None:
        self._catalog = Catalog(region)
        self._messages = Messages(self._catalog)
        # Cancel a long poll if its client disconnects; else it would receive a message that nobody reads.
        self._runner = web.ServerRunner(
            web.Server(self._serve, handler_cancellation=True, access_log=None), shutdown_timeout=0
        )

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the endpoint's URL.  Port 0 chooses a free one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening and end the polls in progress."""
        await self._runner.cleanup()

    def freeze(self) -> bytes:
        """All queues with their messages, as bytes."""
        return json.dumps(self._catalog.freeze()).encode()

    def thaw(self, frozen: bytes) -> None:
        """Load queues that another server saved."""
        self._catalog.thaw(json.loads(frozen))

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        if request.method == "GET":
            return web.json_response({"queues": len(list(self._catalog))})
        headers = {"x-amzn-RequestId": str(uuid4())}
        try:
            result = await self._act(request)
        except RequestRefusedError as error:
            body, headers["x-amzn-query-error"] = answer(error)
            return web.Response(body=body, status=400, headers=headers, content_type=_CONTENT)
        return web.Response(body=json.dumps(result).encode(), headers=headers, content_type=_CONTENT)

    async def _act(self, request: web.BaseRequest) -> dict[str, Any]:
        service, _, name = request.headers.get("X-Amz-Target", "").partition(".")
        method = _CAPITAL.sub("_", name).lower()
        on_queues = Queues(self._catalog, f"http://{request.host}")
        action = getattr(self._messages, method, None) or getattr(on_queues, method, None)
        if service != "AmazonSQS" or method.startswith("_") or action is None:
            raise RequestRefusedError("InvalidAction", f"The action {name!r} is not valid for this endpoint.")
        try:
            parameters = json.loads(await request.content.read() or b"{}")
        except ValueError as error:
            raise RequestRefusedError("SerializationException", "The request is not JSON.") from error
        result = action(parameters)
        return await result if inspect.isawaitable(result) else result  # type: ignore[no-any-return]
