"""Tokens of tasks are hidden wherever a body is shown."""

import json

import pytest

from orca_daemon.wire.task_token import hidden

TOKEN = "AAAAKgAAAAIAAAAA/b64+text=="


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"taskToken": TOKEN, "payload": {"granules": []}}),
        json.dumps({"payload": {}, "taskToken": TOKEN}, indent=2),
        json.dumps({"TaskToken": TOKEN}),
        json.dumps({"task_token": TOKEN}),
        json.dumps({"taskToken": TOKEN}).replace("/", "\\/"),
        json.dumps({"Message": json.dumps({"taskToken": TOKEN, "a": "b"})}),
        json.dumps({"Message": json.dumps({"Message": json.dumps({"taskToken": TOKEN, "a": "b"})})}),
        f'{{"payload": 1, "taskToken" : "{TOKEN}',
    ],
    ids=["first", "last", "capital", "snake", "escaped slash", "in a text", "in a text in a text", "cut off"],
)
def test_a_token_is_hidden(body: str) -> None:
    shown = hidden(body)

    assert "b64" not in shown
    assert "(hidden)" in shown


def test_the_rest_of_a_body_is_shown_as_it_is() -> None:
    body = '{"taskToken":"t","granuleId":"G \\"q\\"","keys":["a\\/b"]}'

    assert hidden(body) == body.replace('"t"', '"(hidden)"')
    assert hidden('{"token": "x"}') == '{"token": "x"}'
