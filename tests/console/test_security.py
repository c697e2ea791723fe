"""The console's defences, tried over HTTP on real processes."""

import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from uuid import uuid4

import psycopg2
import pytest

from orca_daemon.console.security.headers import POLICY
from tests.console.conftest import ALICE, BOB, PROXY, Browser, Console
from tests.waiting import PATIENCE, until

REDRIVE = {"queue": "recovery"}


def fresh(console: Console, source: str) -> Browser:
    """A visitor from an address of its own: what others did wrong does not count for it."""
    return console.browser(source)


def actor(console: Console, token: str = ALICE, source: str = "127.0.0.1") -> Browser:
    browser = console.browser(source)
    assert browser.log_in(token).status == 303
    return browser


def actions(console: Console) -> list[tuple[str, str]]:
    with closing(psycopg2.connect(console.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT who, what FROM orca.orca_daemon_action ORDER BY at")
        return cursor.fetchall()


def raw(console: Console, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", console.port), PATIENCE)) as peer:
        peer.sendall(request)
        answer = b""
        while chunk := peer.recv(65_536):
            answer += chunk
        return answer


def test_every_answer_tells_the_browser_to_run_frame_and_keep_nothing(console: Console) -> None:
    browser = console.browser()
    for path in ("/", "/none", "/login", "/orca_api/none", "/livez", "/x\\y"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    assert "unsafe" not in POLICY
    assert "max-age" in browser.get("/static/htmx.min.js").headers["cache-control"]


def test_pages_have_no_inline_script_and_no_inline_style(console: Console) -> None:
    page = console.browser().get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|javascript:", page) == []
    assert '"allowEval": false' in page


def test_on_loopback_reading_needs_no_token_and_nobody_acts(console: Console) -> None:
    browser = console.browser()
    page = browser.get("/")
    assert page.status == 200
    assert "recovery" in page.text

    refused = browser.post("/act/redrive", {**REDRIVE, "csrf_token": browser.get("/login").csrf})

    assert refused.status == 403
    assert "console.actions" in refused.text
    assert actions(console) == []


def test_on_other_addresses_reading_needs_a_token(guarded: Console) -> None:
    browser = guarded.browser()
    page = browser.get("/recoveries?status=failed&page=2")
    assert (page.status, page.headers["location"]) == (
        303,
        "/login?next=%2Frecoveries%3Fstatus%3Dfailed%26page%3D2",
    )
    assert browser.get("/", Accept="application/json").status == 401
    assert browser.post("/orca_api/recovery/jobs", b"{}", Content_Type="application/json").status == 401
    assert browser.get("/", Authorization=f"Bearer {BOB}").status == 200
    assert browser.get("/openapi.json", Accept="*/*").status == 401


def test_supervisors_need_no_token_and_no_name(guarded: Console) -> None:
    browser = guarded.browser()
    statuses = [browser.get(path, Host="10.1.2.3:9465").status for path in ("/livez", "/readyz", "/metrics")]
    assert statuses == [200, 200, 200]


def test_a_log_in_begins_a_session_that_scripts_and_other_sites_cannot_use(guarded: Console) -> None:
    browser = guarded.browser()
    answer = browser.log_in(ALICE, "/recoveries?status=failed")
    assert (answer.status, answer.headers["location"]) == (303, "/recoveries?status=failed")
    cookie = answer.cookies["orca_daemon_session"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert ALICE not in cookie
    page = browser.get("/")
    assert page.status == 200
    assert "alice" in page.text
    assert ALICE not in page.text


def test_a_cookie_is_secure_behind_a_proxy_that_speaks_https(guarded: Console) -> None:
    browser = guarded.browser(PROXY)
    form = browser.get("/login", X_Forwarded_Proto="https")
    fields = {"csrf_token": form.csrf, "token": ALICE}
    answer = browser.post("/login", fields, X_Forwarded_Proto="https")
    assert "; Secure" in answer.cookies["orca_daemon_session"]


@pytest.mark.parametrize("position", [0, 10, -1], ids=["first", "inner", "last"])
def test_a_changed_cookie_is_no_session(guarded: Console, position: int) -> None:
    browser = actor(guarded)
    cookie = list(browser.cookies["orca_daemon_session"])
    cookie[position] = "0" if cookie[position] != "0" else "1"
    browser.cookies["orca_daemon_session"] = "".join(cookie)
    assert browser.get("/").status == 303


def test_after_a_log_out_the_cookie_is_worth_nothing(guarded: Console) -> None:
    browser = actor(guarded)
    cookie = browser.cookies["orca_daemon_session"]
    assert browser.post("/logout", {"csrf_token": browser.get("/").csrf}).status == 303
    assert "orca_daemon_session" not in browser.cookies
    browser.cookies["orca_daemon_session"] = cookie
    assert browser.get("/").status == 303


def test_a_form_without_the_visitors_token_does_nothing(guarded: Console) -> None:
    browser, other = actor(guarded), actor(guarded, BOB)
    for stale in ({}, {"csrf_token": ""}, {"csrf_token": other.get("/").csrf}):
        assert (
            browser.post("/act/redrive/confirm", {**REDRIVE, "action_id": str(uuid4()), **stale}).status
            == 403
        )
    twice = f"csrf_token={browser.get('/').csrf}&csrf_token=x&queue=recovery".encode()
    assert browser.post("/act/redrive", twice).status == 403
    assert browser.post("/logout", {}).status == 403
    assert guarded.browser().post("/login", {"token": ALICE}).status == 403


def test_another_sites_form_does_nothing_even_with_the_token(guarded: Console) -> None:
    browser = actor(guarded)
    fields = {**REDRIVE, "csrf_token": browser.get("/").csrf}
    assert browser.post("/act/redrive", fields, Origin="https://evil.example").status == 403
    assert browser.post("/act/redrive", fields, Origin="null").status == 403
    assert browser.post("/act/redrive", fields, Sec_Fetch_Site="cross-site").status == 403
    ours = f"http://127.0.0.1:{guarded.port}"
    assert browser.post("/act/redrive", fields, Origin=ours, Sec_Fetch_Site="same-origin").status == 200
    assert browser.post("/act/redrive", {**fields, "reason": "\0"}).status == 415
    json = browser.post("/act/redrive", b'{"queue": "recovery"}', Content_Type="application/json")
    assert json.status == 415
    assert browser.get("/act/redrive").status == 405
    assert browser.get("/act/redrive", "DELETE").status == 405


def test_a_confirmed_action_happens_once_however_often_it_is_sent(guarded: Console) -> None:
    browser = actor(guarded)
    for text in ("a", "b"):
        guarded.sqs.send_message(QueueUrl=guarded.queue.dead_letter_url, MessageBody=text)
    before = actions(guarded)
    preview = browser.post("/act/redrive", {**REDRIVE, "csrf_token": browser.get("/").csrf})
    assert preview.status == 200
    assert "about 2 dead letters of recovery" in preview.text
    assert actions(guarded) == before
    confirmed = {
        name: preview.hidden(name) for name in ("csrf_token", "action_id", "queue", "reason", "rate")
    }

    with ThreadPoolExecutor(3) as clicks:
        answers = list(clicks.map(lambda _: browser.post("/act/redrive/confirm", confirmed), range(3)))

    there = f"/actions/action?id={confirmed['action_id']}"
    assert [(each.status, each.headers["location"]) for each in answers] == [(303, there)] * 3
    assert actions(guarded) == [*before, ("alice", "redrive")]
    until(lambda: guarded.events("action.finished"))
    begun = [line for line in guarded.events("action.begun") if line["action_id"] == confirmed["action_id"]]
    assert [(line["who"], line["action"]) for line in begun] == [("alice", "redrive")]
    assert browser.post("/act/redrive/confirm", {**confirmed, "rate": "7"}).status == 409


@pytest.mark.matrix
def test_an_action_that_was_cut_short_is_continued_by_its_id(
    restartable: Callable[[], AbstractContextManager[Console]],
) -> None:
    with restartable() as console:
        browser = actor(console)
        for number in range(6):
            console.sqs.send_message(QueueUrl=console.queue.dead_letter_url, MessageBody=str(number))
        fields = {"queue": "recovery", "rate": "1", "action_id": str(uuid4())}
        fields["csrf_token"] = browser.get("/").csrf
        assert browser.post("/act/redrive/confirm", fields).status == 303
        assert console.daemon._process
        console.daemon._process.send_signal(signal.SIGTERM)
        assert console.daemon._process.wait(PATIENCE) == 0
    with closing(psycopg2.connect(console.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE orca.orca_daemon_action SET seen_at = now() - interval '1 hour'")
        connection.commit()
    with restartable() as console:
        browser = actor(console, BOB)
        resumed = {"action_id": fields["action_id"], "csrf_token": browser.get("/").csrf}
        assert browser.post("/act/continue", {**resumed, "action_id": str(uuid4())}).status == 404
        assert browser.post("/act/continue", resumed).status == 303
        until(lambda: console.events("action.finished"))
        attributes = ["ApproximateNumberOfMessages"]
        depth = console.sqs.get_queue_attributes(QueueUrl=console.queue.url, AttributeNames=attributes)
        assert depth["Attributes"]["ApproximateNumberOfMessages"] == "6"
        assert actions(console) == [("alice", "redrive")]


def test_a_session_that_ends_in_the_middle_keeps_the_form_and_does_nothing(guarded: Console) -> None:
    browser, before = actor(guarded), actions(guarded)
    fields = {"queue": "recovery", "reason": '<b>"x" & \u00fc</b>', "action_id": str(uuid4())}
    fields["csrf_token"] = browser.get("/").csrf
    browser.cookies["orca_daemon_session"] = "v1.YWxpY2U.1.00000000000000000000000000000000." + "0" * 64

    asked = browser.post("/act/redrive", fields)

    assert asked.status == 401
    assert "Nothing was done" in asked.text
    again = browser.post(
        "/login", {"csrf_token": asked.csrf, "token": ALICE, "kept": asked.hidden("kept"), "next": "/"}
    )
    assert again.status == 200
    assert (again.hidden("queue"), again.hidden("reason")) == ("recovery", fields["reason"])
    assert "<b>" not in again.text
    assert actions(guarded) == before
    kept = {name: again.hidden(name) for name in ("csrf_token", "queue", "reason", "action_id")}
    assert browser.post("/act/redrive", kept).status == 200


def test_headers_of_a_proxy_count_only_from_a_trusted_one(guarded: Console) -> None:
    forged = {"X_Forwarded_User": "carol", "X_Forwarded_For": "127.0.0.1", "X_Forwarded_Host": "evil.example"}
    assert guarded.browser().get("/", **forged).status == 303

    page = guarded.browser(PROXY).get("/", **forged)

    assert page.status == 200
    assert "carol" in page.text
    assert guarded.browser(PROXY).get("/").status == 303  # the proxy names nobody


def test_whom_the_proxy_names_acts_under_that_name(guarded: Console) -> None:
    browser = guarded.browser(PROXY)
    page = browser.get("/", X_Forwarded_User="carol")
    fields = {**REDRIVE, "csrf_token": page.csrf, "action_id": str(uuid4())}
    assert browser.post("/act/redrive/confirm", fields, X_Forwarded_User="dave").status == 403
    assert browser.post("/act/redrive/confirm", fields, X_Forwarded_User="carol").status == 303
    assert actions(guarded)[-1] == ("carol", "redrive")


def test_programs_act_with_their_token_in_a_header(guarded: Console) -> None:
    fields = {**REDRIVE, "action_id": str(uuid4())}
    answer = guarded.browser().post("/act/redrive/confirm", fields, Authorization=f"Bearer {BOB}")
    assert answer.status == 303
    assert actions(guarded)[-1] == ("bob", "redrive")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
def test_a_request_for_another_host_gets_no_page(console: Console, host: str) -> None:
    answer = console.browser().get("/", Host=host)
    assert answer.status == 421
    assert "recovery" not in answer.text


@pytest.mark.parametrize("host", ["console.example.org", "CONSOLE.example.org:443", "localhost:1", "[::1]:1"])
def test_a_name_of_the_settings_and_loopback_are_allowed(guarded: Console, host: str) -> None:
    assert guarded.browser().get("/login", Host=host).status == 200


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/x\r\nSet-Cookie: a=b",
        "x",
        "",
    ],
    ids=["slashes", "https", "backslash", "backslashes", "lines", "relative", "empty"],
)
def test_a_log_in_leads_to_no_other_site(guarded: Console, there: str) -> None:
    assert guarded.browser().log_in(ALICE, there).headers["location"] == "/"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/..%2fapp.py", 400),
        ("/static/%2e%2e/app.py", 400),
        ("/static/../app.py", 400),
        ("/static/..%5capp.py", 400),
        ("/static//htmx.min.js", 200),
        ("/static/htmx.min.js%00.css", 400),
        ("/static/", 404),
        ("/static//etc/passwd", 404),
        ("//evil.example/", 404),
        ("/%ff", 400),
        ("/a%0d%0ab", 400),
        ("http://evil.example/", 400),
        ("//", 200),
        ("/?x=%00", 400),
        ("/?x=%ff%c3%28", 200),
    ],
    ids=str,
)
def test_tricks_with_paths_lead_nowhere(console: Console, path: str, status: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(console, request.encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\nlocation:" not in answer.lower()
    assert b"create_app" not in answer


def test_a_token_cannot_be_found_by_trying_and_its_holder_is_not_locked_out(guarded: Console) -> None:
    holder, thief = actor(guarded, source="127.0.0.8"), guarded.browser("127.0.0.9")
    form = thief.get("/login")
    statuses = [
        thief.post("/login", {"csrf_token": form.csrf, "token": f"guess {guess}"}).status
        for guess in range(15)
    ]
    assert statuses == [401] * 10 + [429] * 5
    blocked = thief.post("/login", {"csrf_token": form.csrf, "token": ALICE})
    assert blocked.status == 429
    assert int(blocked.headers["retry-after"]) > 0
    assert thief.get("/", Authorization=f"Bearer {ALICE}").status == 429
    assert holder.get("/").status == 200
    assert guarded.browser("127.0.0.10").log_in(ALICE).status == 303
    assert "guess" not in guarded.log.read_text()


def test_a_body_has_a_limit(guarded: Console) -> None:
    browser = actor(guarded)
    large = b"x=" + b"y" * 300_000
    assert browser.post("/act/redrive", large).status == 413
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(guarded, head + 5 * (b"10000\r\n" + b"z" * 65_536 + b"\r\n")).startswith(b"HTTP/1.1 413 ")


def test_a_head_has_a_limit(console: Console) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"y" * 100_000
    assert raw(console, head).startswith(b"HTTP/1.1 400 ")


def test_an_error_page_repeats_nothing_that_was_sent(console: Console) -> None:
    page = console.browser().get("/%3Cscript%3Ealert(1)%3C/script%3E?x=%3Cscript%3E")
    assert page.status == 404
    assert "alert" not in page.text


def test_requests_are_counted_by_template_and_never_by_what_was_asked(console: Console) -> None:
    browser = console.browser()
    browser.get("/static/no-such-file-asked")
    browser.get("/no-such-page-asked")
    text = browser.get("/metrics").text
    assert 'orca_daemon_console_requests_total{method="GET",page="/",status="200"}' in text
    assert 'orca_daemon_console_requests_total{method="GET",page="none",status="404"}' in text
    assert "asked" not in text
