"""A message is refused in our words, and never in pydantic's."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import Field, field_validator
from pydantic_core import core_schema

from orca_daemon.wire.status import RecoveryStatus
from orca_daemon.wire.wire_model import MalformedError, WireModel, read, sentence

FOREIGN = re.compile(r"Input should|Value error|Extra inputs|Field required|should have|valid \w+, |pydantic")
KINDS: dict[str, Any] = {
    "text": Annotated[str, Field(min_length=1, max_length=3, pattern="^[^\\x00]*$")],
    "count": Annotated[int, Field(ge=1, lt=10)],
    "share": Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)],
    "flag": bool,
    "word": Literal["a", "b"],
    "status": RecoveryStatus,
    "array": Annotated[list[int], Field(max_length=1)],
    "pair": tuple[int, int],
    "table": dict[str, int],
    "time": datetime,
    "either": int | str,
    "nothing": None,
}
VALUES: tuple[Any, ...] = (
    3,
    -1,
    1.5,
    float("nan"),
    True,
    None,
    "",
    "xxxx",
    "\0",
    "\ud800",
    [],
    [1, 2],
    ["x"],
    {},
    {"a": "b"},
)


class Checked(WireModel):
    """A message whose field is refused by a validator with a plain ValueError."""

    field: str

    @field_validator("field")
    @classmethod
    def refuse(cls, _: str) -> str:
        raise ValueError("is not to our taste")


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_pydantic_reaches_an_operator(kind: str) -> None:
    model = type("Message", (WireModel,), {"__annotations__": {"field": KINDS[kind]}})
    refusals = []
    for document in [{}, *({"field": value} for value in VALUES)]:
        try:
            read(model, document, "message")
        except MalformedError as error:
            refusals.append(str(error))
    assert len(refusals) > 1
    assert [text for text in refusals if not text.startswith("not a valid message: field")] == []
    assert [text for text in refusals if FOREIGN.search(text)] == []


def test_a_validators_own_sentence_is_kept() -> None:
    with pytest.raises(MalformedError, match=r"^not a valid message: field is not to our taste$"):
        read(Checked, {"field": "x"}, "message")


def test_every_error_that_pydantic_knows_has_words_of_ours() -> None:
    class Refused:
        """As pydantic's ValidationError, for one problem."""

        def __init__(self, kind: str) -> None:
            self.kind = kind

        def errors(self, **_: object) -> list[dict[str, Any]]:
            return [{"type": self.kind, "loc": ("field",), "msg": "Input should be something"}]

    for kind in get_args(core_schema.ErrorType):
        if kind != "value_error":
            assert FOREIGN.search(sentence("message", Refused(kind))) is None  # type: ignore[arg-type]  # enough
