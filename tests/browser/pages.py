"""The addresses of every page of the console, found by following the links of lists."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

LISTS = {
    "now": "/",
    "recoveries": "/recoveries",
    "failures": "/failures",
    "dead-letters": "/dead-letters",
    "reconciliation": "/reconciliation",
    "exports": "/exports",
    "actions": "/actions",
}
_DETAILS = {
    "recovery": ("/recoveries?status=failed", "a[href^='/recoveries/job']"),
    "dead-letter": ("/dead-letters", "a[href^='/dead-letters/letter']"),
    "comparison": ("/reconciliation", "tbody a[href^='/reconciliation/job']"),
    "exported-table": ("/exports", "tbody a[href*='recovery_file']"),
    "action": ("/actions", "a[href^='/actions/action']"),
}


def every_page(page: "Page", url: str) -> dict[str, str]:
    """Name to path; `page` is used to look."""
    found = dict(LISTS)
    for name, (path, selector) in _DETAILS.items():
        page.goto(url + path)
        found[name] = page.locator(selector).first.get_attribute("href") or ""
    return found | {"login": "/login", "missing": "/nothing-here"}
