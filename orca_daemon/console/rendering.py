"""Renders Jinja2 templates; everything is escaped, and an unknown name is an error."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orca_daemon import __version__
from orca_daemon.console.navigation import ENTRIES

_TEMPLATES = Path(__file__).parent / "templates"
environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,  # always, not by the name of the file
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
"""Filters and globals of the templates are added where they are defined (`pages`)."""
environment.globals.update(version=__version__, navigation=ENTRIES)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The answer with this template.

    Every template knows `request`, `path`, `version`, `navigation`, and of this visitor `who` (None without a
    token), `may_act`, and `csrf_token` for forms.
    """
    visitor = getattr(request.state, "visitor", None)
    text = environment.get_template(template).render(
        request=request,
        path=request.url.path,
        who=visitor.name if visitor else None,
        may_act=bool(visitor and visitor.may_act),
        csrf_token=visitor.csrf_token if visitor else "",
        **values,
    )
    return HTMLResponse(text, status)
