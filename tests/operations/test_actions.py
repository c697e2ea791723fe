"""Actions of operators: with one id an action happens once; one that was cut short is resumed by its id."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from orca_daemon.engine.errors import DependencyDown
from orca_daemon.operations import actions
from orca_daemon.operations.actions import Beginning, OtherActionError
from tests.db.conftest import Make, make_database, owner

__all__ = ["make_database", "owner"]
ABOUT = {"queue": "recovery", "reason": "no 'key' \U0001f600"}


async def test_an_action_is_recorded_before_it_begins_and_happens_once(
    make_database: Make, database_url: str
) -> None:
    database, id_ = make_database(database_url), uuid4()

    first = await actions.begin(database, id_, who="ada", what="redrive", about=ABOUT, wanted=3)
    [recorded] = await actions.recent(database)
    again = await actions.begin(database, id_, who="ada", what="redrive", about=ABOUT, wanted=3)
    await actions.progress(database, id_, 2)
    await actions.finish(database, id_, done=3, result={"moved": 3})
    await actions.progress(database, id_, 1)
    await actions.finish(database, id_, done=0, error="too late")
    last = await actions.begin(database, id_, who="ada", what="redrive", about=ABOUT, wanted=3)

    assert (first.beginning, first.to_do) == (Beginning.NEW, True)
    fields = (recorded.id, recorded.who, recorded.filter, recorded.wanted, recorded.done)
    assert fields == (id_, "ada", ABOUT, 3, 0)
    assert recorded.finished_at is None
    assert (again.beginning, again.to_do) == (Beginning.UNDER_WAY, False)
    assert (last.beginning, last.to_do) == (Beginning.FINISHED, False)
    assert (last.action.done, last.action.error, last.action.result) == (3, None, {"moved": 3})
    assert last.action.finished_at is not None


async def test_how_many_things_it_was_about_may_be_known_at_the_end_only(
    make_database: Make, database_url: str
) -> None:
    database = make_database(database_url)
    for wanted, told in ((None, 3), (None, None), (4, None)):
        id_ = uuid4()
        await actions.begin(database, id_, who="ada", what="recover", about=ABOUT, wanted=wanted)
        await actions.finish(database, id_, done=1, wanted=told)

    assert [each.wanted for each in await actions.recent(database)] == [4, None, 3]


async def test_of_many_that_begin_one_action_at_the_same_time_one_acts(
    make_database: Make, database_url: str
) -> None:
    database, id_ = make_database(database_url, pool_size=4), uuid4()

    begun = await asyncio.gather(
        *(actions.begin(database, id_, who="ada", what="pause", about=ABOUT) for _ in range(12))
    )

    assert [each.to_do for each in begun].count(True) == 1


async def test_an_action_that_was_cut_short_is_resumed_by_its_id(
    make_database: Make, database_url: str, owner: Engine
) -> None:
    database, id_ = make_database(database_url), uuid4()
    await actions.begin(database, id_, who="ada", what="recover", about=ABOUT, wanted=9)
    await actions.progress(database, id_, 4)
    with owner.connect() as connection:
        connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '20 s'"))

    begun = await asyncio.gather(
        *(actions.begin(database, id_, who="bob", what="recover", about=ABOUT) for _ in range(2))
    )

    assert {each.beginning for each in begun} == {Beginning.RESUMED, Beginning.UNDER_WAY}
    assert {(each.action.done, each.action.who) for each in begun} == {(4, "ada")}


async def test_an_id_of_another_action_is_refused(make_database: Make, database_url: str) -> None:
    database, id_ = make_database(database_url), uuid4()
    await actions.begin(database, id_, who="ada", what="pause", about=ABOUT)

    for what, about in (("resume", ABOUT), ("pause", {"queue": "restore"})):
        with pytest.raises(OtherActionError):
            await actions.begin(database, id_, who="ada", what=what, about=about)


async def test_without_the_migration_an_action_is_refused_with_what_to_do(
    make_database: Make, database_url: str, owner: Engine
) -> None:
    database = make_database(database_url)
    with owner.connect() as connection:
        connection.execute(text("DROP TABLE orca.orca_daemon_action"))

    with pytest.raises(DependencyDown, match="orca-daemon db upgrade"):
        await actions.begin(database, uuid4(), who="ada", what="pause", about=ABOUT)
    assert await actions.recent(database) == []
