"""The session that makes the AWS clients, and the three ways in which it differs from aiobotocore's own.

1. A response counts only if it proves that AWS answered this request.  A proxy's page under status 200,
   half a document, a response to another request: each raises `UnprovenError`.  Every call of every client
   passes the check, before the call is counted.
2. HTTP redirects are not followed.
3. A credentials file is read again once AWS refuses the keys that it held.
"""

from functools import partial
from typing import Any

from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.parsers import AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from orca_daemon.aws.errors import REQUEST_IDS, Meaning, meaning
from orca_daemon.aws.responses import Response, flaw

_PARAMETERS = "orca_daemon_parameters"
_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)
_FILE_PROVIDERS = frozenset({"shared-credentials-file", "config-file"})
"""Names of botocore's credential providers that read a file."""


class UnprovenError(BotoCoreError):
    """The response is not AWS's answer to the request."""

    fmt = "not an answer of AWS to {operation}: {flaw}"


def checked_session() -> AioSession:
    """A new session whose clients check every response."""
    session = AioSession()
    session.register_component("response_parser_factory", _Parsers())
    session.register("before-parameter-build", _keep_parameters)
    session.register("response-received", _check_response)
    return session


def reload_refused_credentials(session: AioSession) -> None:
    """Read the credentials file again when AWS refuses the keys, and give the new keys to all clients.

    botocore reads the file only once, at the start.  Agents that rotate keys replace its content while the
    daemon runs (AWS: shared config and credentials files).
    """
    session.register("response-received", partial(_reload_if_refused, session))


class NoRedirectSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """An HTTP session that follows no redirect; for `AioConfig.http_session_cls`.

    aiohttp follows redirects where botocore does not.  A proxy could send the session token, and with status
    307 the body of a message, to a host of its choice, and that host's response would count as AWS's.
    S3's own redirects (the bucket is in another region) are handled by botocore.
    """

    async def _get_session(self, proxy_url: str | None) -> "_NoRedirects":
        # aiobotocore has no option that switches redirects off.
        return _NoRedirects(await super()._get_session(proxy_url))


class _NoRedirects:
    def __init__(self, session: Any) -> None:
        self._session = session

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.request(*args, allow_redirects=False, **kwargs)


class _Parsers(AioResponseParserFactory):  # type: ignore[misc]  # aiobotocore has no types
    """Makes one parser for each protocol; a parser keeps no state between responses."""

    def __init__(self) -> None:
        super().__init__()
        self._by_protocol: dict[str, _Parser] = {}

    def create_parser(self, protocol_name: str) -> "_Parser":
        if protocol_name not in self._by_protocol:
            self._by_protocol[protocol_name] = _Parser(super().create_parser(protocol_name))
        return self._by_protocol[protocol_name]


class _Parser:
    """Parses with botocore, and turns each of its many failures into `UnprovenError`."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    async def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        try:
            parsed = await self._parser.parse(response, shape)
        except Exception as error:
            if response["status_code"] not in _SUCCESS:  # the body is lost, but the status is known
                return _error_without_code(response["status_code"])
            raise _unproven(response, f"it cannot be parsed ({type(error).__name__})") from error
        if not isinstance(parsed, dict):
            raise _unproven(response, "it is not an object")
        return parsed


def _error_without_code(status: int) -> dict[str, Any]:
    return {
        "Error": {"Code": str(status), "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }


def _unproven(response: dict[str, Any], flaw: str) -> UnprovenError:
    if hasattr(response["body"], "close"):  # a stream, which holds a connection
        response["body"].close()
    operation = response.get("context", {}).get("operation_name", "a request")
    return UnprovenError(operation=operation, flaw=flaw)


def _keep_parameters(params: Any, context: dict[str, Any], **_: Any) -> None:
    context[_PARAMETERS] = params


def _check_response(
    response_dict: dict[str, Any] | None,
    parsed_response: dict[str, Any] | None,
    context: dict[str, Any],
    event_name: str,
    **_: Any,
) -> None:
    if response_dict is None or parsed_response is None:
        return
    if response_dict["status_code"] in _REDIRECTS and REQUEST_IDS.isdisjoint(response_dict["headers"]):
        # botocore would ask for the bucket's region, would be redirected again, and would not stop.
        raise _unproven(response_dict, f"its status is {response_dict['status_code']}")
    if "Error" in parsed_response:
        return
    if response_dict["status_code"] not in _SUCCESS:
        return
    response = Response(
        operation=event_name.partition(".")[2],
        parameters=context.get(_PARAMETERS, {}),
        parsed=parsed_response,
        status=response_dict["status_code"],
        headers=response_dict["headers"],
        body=response_dict["body"],
    )
    if reason := flaw(response):
        raise _unproven(response_dict, reason)


async def _reload_if_refused(
    session: AioSession, event_name: str, parsed_response: dict[str, Any] | None = None, **_: Any
) -> None:
    error = (parsed_response or {}).get("Error")
    if not isinstance(error, dict):
        return
    operation = event_name.rpartition(".")[2]
    if meaning(str(error.get("Code")), 0, str(error.get("Message")), operation) is Meaning.CREDENTIALS:
        await _reload(session)


async def _reload(session: AioSession) -> None:
    current = await session.get_credentials()
    if current is None or current.method not in _FILE_PROVIDERS:
        return
    fresh = await session.get_component("credential_provider").get_provider(current.method).load()
    if fresh is not None:
        # Replaced in place, because every client signs with this object.
        current.access_key, current.secret_key, current.token = (
            fresh.access_key,
            fresh.secret_key,
            fresh.token,
        )
