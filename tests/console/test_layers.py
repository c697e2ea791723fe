"""The layers around requests, each alone: decisions as values, and answers to what fails."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.security import Guard
from orca_daemon.console.security.access import Access
from orca_daemon.console.security.forms import local
from orca_daemon.console.security.limits import Limits
from orca_daemon.console.security.peers import networks, peer_of
from orca_daemon.console.security.requests import Requests
from orca_daemon.console.security.sessions import Sessions
from orca_daemon.console.security.throttle import Throttle
from orca_daemon.console.security.tokens import Tokens, read_tokens
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.settings import ConsoleSection

ROOT = Path(__file__).parents[2]
SECRET = "password=hunter2 SELECT"
PROXIES = networks(["10.0.0.0/8", "::1"])


def scope(client: str = "10.0.0.1", path: str = "/", **headers: str) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "scheme": "http",
        "client": (client, 1),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


async def ask(app: ASGIApp, asked: Scope, *messages: Message) -> tuple[int, str]:
    sent: list[Message] = []
    waiting = iter(messages or ({"type": "http.request", "body": b""},))

    async def receive() -> Message:
        for message in waiting:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(asked, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent).decode()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DependencyDown("postgres", SECRET), 503),
        (PostgresError(SECRET, "42P01"), 503),
        (RuntimeError(SECRET), 500),
    ],
    ids=["down", "query", "bug"],
)
@pytest.mark.parametrize("path", ["/", "/orca_api/recovery/jobs"], ids=["page", "api"])
async def test_an_error_page_has_no_secret_and_no_sql(error: Exception, status: int, path: str) -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    answered, text = await ask(Requests(fail, ConsoleMetrics()), scope(path=path))

    assert answered == status
    assert "hunter2" not in text
    assert "SELECT" not in text
    assert text.startswith("{") == path.startswith("/orca_api")


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    first = {"type": "http.request", "body": b"x", "more_body": True}
    status, _ = await ask(Limits(never, body_seconds=0.01), scope(), first)
    assert status == 408


async def test_bodies_of_all_visitors_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orca_daemon.console.security.limits.ALL", 10)
    inner: list[int] = []

    async def another(_scope: Scope, _receive: Receive, send: Send) -> None:
        inner.append((await ask(limits, scope(), {"type": "http.request", "body": b"123456"}))[0])
        await PlainTextResponse("")(_scope, _receive, send)

    limits = Limits(another)
    status, _ = await ask(limits, scope(), {"type": "http.request", "body": b"123456"})
    assert (status, inner) == (200, [503])
    assert limits._held == 0


@pytest.mark.parametrize("api", ["open", "token"])
async def test_the_api_is_open_to_all_only_if_the_settings_say_so(api: Any) -> None:
    tokens = Tokens({"alice": "one"})
    section = ConsoleSection(listen="0.0.0.0:1", tokens={"alice": "one"}, orca_api=api)
    guard = Guard.of(section, tokens)

    async def answer(asked: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("yes")(asked, receive, send)

    access = Access(answer, section, guard.visitors, guard.throttle, ConsoleMetrics())
    strange, known = (
        scope(path="/orca_api/recovery/jobs"),
        scope(path="/orca_api/x", authorization="Bearer one"),
    )
    strange["method"] = known["method"] = "POST"

    assert (await ask(access, strange))[0] == (200 if api == "open" else 401)
    assert (await ask(access, known))[0] == 200
    assert (await ask(access, scope(path="/")))[0] == 303


async def test_a_part_of_a_page_is_reloaded_as_a_whole_after_the_session() -> None:
    section = ConsoleSection(listen="0.0.0.0:1", tokens={"alice": "one"})
    guard = Guard.of(section, Tokens({"alice": "one"}))
    access = Access(PlainTextResponse(""), section, guard.visitors, guard.throttle, ConsoleMetrics())
    assert (await ask(access, scope(hx_request="true")))[0] == 401


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("192.0.2.1", {"x_forwarded_for": "198.51.100.7"}, "192.0.2.1"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"x_forwarded_for": "198.51.100.7"}, "198.51.100.7"),
        ("10.0.0.1", {"x_forwarded_for": "127.0.0.1, 198.51.100.7, 10.9.9.9"}, "198.51.100.7"),
        ("10.0.0.1", {"x_forwarded_for": "198.51.100.7, nonsense"}, "10.0.0.1"),
        ("::ffff:10.0.0.1", {"x_forwarded_for": "::ffff:198.51.100.7"}, "198.51.100.7"),
    ],
    ids=["untrusted", "silent", "trusted", "forged", "nonsense", "mapped"],
)
def test_the_peer_is_the_last_address_that_no_trusted_proxy_has(
    client: str, headers: Mapping[str, str], expected: str
) -> None:
    assert str(peer_of(scope(client, **headers), PROXIES, "X-User").address) == expected


def test_a_user_that_is_named_twice_is_nobody() -> None:
    asked = scope(x_user="alice")
    assert peer_of(asked, PROXIES, "X-User").user == "alice"
    asked["headers"].append((b"x-user", b"root"))
    assert peer_of(asked, PROXIES, "X-User").user is None


def test_the_page_on_the_console_lists_its_metrics_limits_and_reasons() -> None:
    page = (ROOT / "docs/console-setup.md").read_text("utf-8")
    names = set(
        re.findall(r"^# TYPE (orca_daemon_console_\w+)", ConsoleMetrics().exposition().decode(), re.MULTILINE)
    )
    source = "".join(path.read_text("utf-8") for path in (ROOT / "orca_daemon/console").rglob("*.py"))
    reasons = set(re.findall(r'(?:_refuse\([^"]*|refused\.labels\()"(\w+)"', source))

    assert names
    assert [name for name in names if f"`{name}`" not in page] == []
    assert {"host", "csrf", "too_many", "no_session"} <= reasons
    assert [reason for reason in reasons if f"`{reason}`" not in page] == []
    assert f"{Throttle.PEER}, then one every {1 / Throttle.PEER_PER_SECOND:.0f} s" in page
    assert f"{Throttle.ALL}, then {Throttle.ALL_PER_SECOND:.0f} per second" in page


def test_a_person_with_a_network_of_ipv6_has_one_limit() -> None:
    groups = {peer_of(scope(f"2001:db8::{each:x}"), (), "X").group for each in range(1, 9)}
    assert groups == {"2001:db8::/64"}


def test_failures_are_forgiven_with_time_and_never_count_for_others() -> None:
    throttle = Throttle()
    for _ in range(throttle.PEER):
        assert throttle.wait("thief", 0.0) == 0
        throttle.failed("thief", 0.0)
    assert throttle.wait("thief", 0.0) == pytest.approx(6)
    assert throttle.wait("holder", 0.0) == 0
    assert throttle.wait("thief", 6.1) == 0


def test_many_thieves_together_are_limited_and_a_newcomer_is_not() -> None:
    throttle = Throttle()
    for thief in range(300):
        throttle.failed(f"thief {thief}", 0.0)
    assert throttle.wait("thief 1", 0.0) > 0
    assert throttle.wait("holder", 0.0) == 0
    assert throttle.wait("thief 1", 10.0) == 0


def test_the_table_of_thieves_is_bounded() -> None:
    throttle = Throttle()
    for thief in range(throttle.MOST_PEERS + 5):
        throttle.failed(str(thief), 0.0)
    assert len(throttle._peers) == throttle.MOST_PEERS


def test_a_session_ends_by_time_by_log_out_and_with_its_token() -> None:
    tokens = Tokens({"alice": "one", "bob": "two"})
    sessions = Sessions(tokens, 100)
    cookie = sessions.begin("alice", 1000)
    session = sessions.read(cookie, 1099)
    assert session is not None
    assert (session.name, session.expires) == ("alice", 1100)
    assert sessions.read(cookie, 1100) is None
    changed = Tokens({"alice": "three", "bob": "two"})
    assert Sessions(changed, 100).read(cookie, 1000) is None
    assert Sessions(tokens, 100).read(cookie, 1000) == session  # another replica, or after a restart
    sessions.end(session, 1000)
    assert sessions.read(cookie, 1000) is None


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    tokens = Tokens({"alice": "one", "bob": "two", "carol": "three"})
    assert [tokens.holder(given) for given in ("one", "three", "x", "")] == ["alice", "carol", None, None]
    assert len(compared) == 12
    assert {len(each) for each in compared} == {32}


class _Secrets:
    async def secret(self, name: str) -> str:
        if name == "away":
            raise NotYet("SQS throttles")
        if name == "many":
            return '{"alice": "inner", "bob": 7}'
        raise Reject("it does not exist")

    async def parameter(self, name: str) -> str:
        return f"value of {name}\n"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"alice": "ssm:/a", "bob": "b"}, {"alice": "value of /a", "bob": "b"}),
        ({"alice": "secret:none"}, "console.tokens.alice (ORCA_CONSOLE__TOKENS) cannot be read"),
        ({"alice": "secret:many#alice"}, {"alice": "inner"}),
        ({"alice": "secret:many#bob"}, "cannot be read: the secret has no text under the key bob"),
        ({"alice": " "}, "console.tokens.alice (ORCA_CONSOLE__TOKENS) is empty"),
        ({"alice": "x", "bob": "x"}, "is the token of another name"),
    ],
    ids=["references", "missing", "key", "no key", "empty", "double"],
)
async def test_tokens_come_from_settings_and_secrets(tokens: dict[str, Any], expected: Any) -> None:
    section = ConsoleSection(tokens=tokens)
    if isinstance(expected, dict):
        assert await read_tokens(section, _Secrets()) == expected
    else:
        with pytest.raises(StartConfigurationError) as error:
            await read_tokens(section, _Secrets())
        assert expected in str(error.value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/recoveries?status=failed&x=//y", "/recoveries?status=failed&x=//y"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
        ("https:/x", "/"),
        ("///evil.example", "/"),
    ],
    ids=["ours", "host", "backslash", "tab", "script", "scheme", "three"],
)
def test_only_paths_of_the_console_are_followed(path: str, expected: str) -> None:
    assert local(path) == expected
