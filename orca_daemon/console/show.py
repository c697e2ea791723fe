"""How values look on pages: numbers with units, times with zone and age, texts with all their characters."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

NONE = "\N{EN DASH}"
"""In place of a value that there is not."""
_NOTHING = Markup('<span class="muted">&ndash;</span>')
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_SPANS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_ALONE = 10
"""From this many hours, or from two days, the smaller unit says nothing more."""
_SIGNIFICANT = 2
"""Digits of an estimate."""
_INVISIBLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, and what reorders text or has no width: with these a name can look like another."""


def number(value: float | None) -> str:
    """`1,234`, or a dash if there is none."""
    return NONE if value is None else f"{value:,}"


def estimate(value: int) -> str:
    """`about 1,200,000`: two digits, because the rest is not known."""
    return f"about {rounded(value):,}"


def rounded(value: int) -> int:
    """The value with as many digits as an estimate has."""
    digits = len(str(abs(value)))
    return round(value, _SIGNIFICANT - digits) if digits > _SIGNIFICANT else value


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(value: float | None) -> str:
    """`4.7 GiB`."""
    if value is None:
        return NONE
    for unit in _UNITS:
        if abs(value) < _STEP or unit == _UNITS[-1]:
            break
        value /= _STEP
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"


def duration(seconds: float | None) -> str:
    """`3 d 4 h`, `12 min`, `0.4 s`: the largest unit, and the next if that says something."""
    if seconds is None:
        return NONE
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds:.1f} s" if seconds else "0 s"
    for index, (span, unit) in enumerate(_SPANS):
        if seconds >= span:
            whole = int(seconds // span)
            if index > 1 or whole >= (_ALONE if index else 2):
                return f"{whole:,} {unit}"
            below, name = _SPANS[index + 1]
            rest = int(seconds % span // below)
            return f"{whole} {unit} {rest} {name}" if rest else f"{whole} {unit}"
    raise AssertionError("a second is the shortest span")


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`, `in 2 h`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def absolute(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """`10:20 UTC` today, `28 Nov 10:20 UTC` within half a year, else `2025-11-28 10:20 UTC`."""
    utc, today = moment.astimezone(UTC), now.astimezone(UTC)
    clock = f"{utc:%H:%M:%S} UTC" if seconds else f"{utc:%H:%M} UTC"
    if utc.date() == today.date():
        return clock
    near = abs((now - moment).days) < 180  # noqa: PLR2004  half a year: the year is clear
    return f"{utc.day} {utc:%b} {clock}" if near else f"{utc:%Y-%m-%d} {clock}"


def visible(text: object) -> str:
    """The text with every character that cannot be seen, or that reorders others, as `␀` or `⟨U+202E⟩`."""
    return _INVISIBLE.sub(_name, str(text))


def _name(match: "re.Match[str]") -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"  # noqa: PLR2004  the pictures of controls


def shortened(text: object, most: int = 96) -> str:
    """At most this many characters, the middle left out: keys differ at their ends."""
    plain = str(text)
    if len(plain) <= most:
        return plain
    tail = most // 2
    return f"{plain[: most - tail - 1]}…{plain[-tail:]}"


def value(text: object, most: int = 96) -> Markup:
    """A text from a message or a key: visible, shortened, isolated from the direction of its surroundings."""
    if text is None or text == "":
        return _NOTHING
    whole = visible(shortened(text, 4_000))
    short = shortened(whole, most)
    title = Markup(' title="{}"').format(shortened(whole, 1_000)) if short != whole else ""
    return Markup("<bdi{}>{}</bdi>").format(title, short)


def code(text: object, most: int = 96) -> Markup:
    """The same in the typeface of ids and keys."""
    return Markup(str(value(text, most)).replace("<bdi", '<bdi class="mono"', 1))  # noqa: S704  `value` escapes


@pass_context
def when(context: Context, moment: datetime | None, *, seconds: bool = False) -> Markup:
    """A time and its age."""
    if moment is None:
        return _NOTHING
    now: datetime = context["now"]
    return Markup(
        '<span class="when"><time datetime="{}" title="{} UTC">{}</time> <small>{}</small></span>'
    ).format(
        moment.astimezone(UTC).isoformat(timespec="seconds"),
        f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        absolute(moment, now, seconds=seconds),
        ago(moment, now),
    )


@pass_context
def age(context: Context, moment: datetime | None) -> Markup:
    """An age, with the time as its title."""
    if moment is None:
        return _NOTHING
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds"),
        f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        ago(moment, context["now"]),
    )


def share(part: float, whole: float) -> str:
    """`73 %`; never 100 or 0 while something is left or done."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1 %"
    return f"{min(int(percent), 99) if part < whole else 100} %"


def link(path: str, parameters: Mapping[str, Any], **changes: Any) -> str:
    """A path with these parameters, without the empty ones: the address of a list that can be sent on."""
    chosen = {name: text for name, text in {**parameters, **changes}.items() if text not in (None, "", False)}
    return f"{path}?{urlencode(chosen)}" if chosen else path


FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number, "estimate": estimate, "size": size, "duration": duration, "visible": visible,
    "shortened": shortened, "value": value, "code": code, "when": when, "age": age, "plural": plural,
}  # fmt: skip
GLOBALS: Mapping[str, Callable[..., Any]] = {"share": share, "link": link, "plural": plural, "ago": ago}
