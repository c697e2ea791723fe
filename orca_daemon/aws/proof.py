"""A session whose clients take only what is proven for an answer: the rest has not been answered.

A page of a proxy under status 200, half a document, an answer to another request: each becomes an
`UnprovenError`, at the one place that all calls of all clients pass, and before they are counted.
"""

from typing import Any

from aiobotocore.parsers import AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from orca_daemon.aws.answers import Answer, flaw

_ASKED = "orca_daemon_asked"
_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)
_OF_AWS = frozenset({"x-amz-request-id", "x-amzn-requestid"})


class UnprovenError(BotoCoreError):
    """What came is not an answer of AWS to the request."""

    fmt = "not an answer of AWS to {operation}: {flaw}"


def session() -> AioSession:
    """A new session; the hooks are in every client that it makes."""
    made = AioSession()
    made.register_component("response_parser_factory", _Parsers())
    made.register("before-parameter-build", _keep)
    made.register("response-received", _check)
    return made


class _Parsers(AioResponseParserFactory):  # type: ignore[misc]  # aiobotocore has no types
    """Makes one parser for each protocol; they keep nothing between two answers."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, _Parser] = {}

    def create_parser(self, protocol_name: str) -> "_Parser":
        if protocol_name not in self._made:
            self._made[protocol_name] = _Parser(super().create_parser(protocol_name))
        return self._made[protocol_name]


class _Parser:
    """Parses as botocore does, which fails in many ways on what is no answer."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    async def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        try:
            parsed = await self._parser.parse(response, shape)
        except Exception as error:
            if response["status_code"] not in _SUCCESS:  # what it says is lost, and its status is not
                return _without_code(response["status_code"])
            raise _unproven(response, f"it cannot be parsed ({type(error).__name__})") from error
        if not isinstance(parsed, dict):
            raise _unproven(response, "it is not an object")
        return parsed


def _without_code(status: int) -> dict[str, Any]:
    return {
        "Error": {"Code": str(status), "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }


def _unproven(response: dict[str, Any], flaw: str) -> UnprovenError:
    if hasattr(response["body"], "close"):  # a stream, which holds a connection
        response["body"].close()
    operation = response.get("context", {}).get("operation_name", "a request")
    return UnprovenError(operation=operation, flaw=flaw)


def _keep(params: Any, context: dict[str, Any], **_: Any) -> None:
    context[_ASKED] = params


def _check(
    response_dict: dict[str, Any] | None,
    parsed_response: dict[str, Any] | None,
    context: dict[str, Any],
    event_name: str,
    **_: Any,
) -> None:
    if response_dict is None or parsed_response is None:
        return
    if response_dict["status_code"] in _REDIRECTS and _OF_AWS.isdisjoint(response_dict["headers"]):
        # botocore would ask for the bucket's region, be redirected again, and so on.
        raise _unproven(response_dict, f"its status is {response_dict['status_code']}")
    if "Error" in parsed_response:
        return
    if response_dict["status_code"] not in _SUCCESS:
        return
    to = event_name.partition(".")[2]
    answer = Answer(
        to=to,
        asked=context.get(_ASKED, {}),
        parsed=parsed_response,
        status=response_dict["status_code"],
        headers=response_dict["headers"],
        body=response_dict["body"],
    )
    if found := flaw(answer):
        raise _unproven(response_dict, found)
