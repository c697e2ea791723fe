"""The memory of where pages begin: nearest position, lifetime, and bounds."""

from orca_daemon.console.orca_api.positions import LIFETIME, LISTS, POSITIONS, Positions, Start


def test_a_page_is_read_from_the_nearest_position_before_it() -> None:
    positions = Positions()
    assert positions.start("list", 300, 0.0) == Start(None, 300)
    positions.learn("list", 100, ("a",), 0.0)
    positions.learn("list", 500, ("e",), 0.0)
    assert [positions.start("list", row, 1.0) for row in (0, 100, 300, 500, 700)] == [
        Start(None, 0),
        Start(("a",), 0),
        Start(("a",), 200),
        Start(("e",), 0),
        Start(("e",), 200),
    ]
    assert positions.start("other", 100, 1.0) == Start(None, 100)


def test_a_position_that_was_learned_again_has_its_newest_cursor() -> None:
    positions = Positions()
    positions.learn("list", 100, ("old",), 0.0)
    positions.learn("list", 100, ("new",), 1.0)
    assert positions.start("list", 100, LIFETIME + 0.5) == Start(("new",), 0)


def test_an_old_position_is_forgotten() -> None:
    positions = Positions()
    positions.learn("list", 100, ("a",), 0.0)
    positions.learn("list", 200, ("b",), LIFETIME)
    assert positions.start("list", 100, LIFETIME + 1) == Start(None, 100)
    assert positions.start("list", 200, LIFETIME + 1) == Start(("b",), 0)


def test_a_reader_of_a_hundred_thousand_pages_always_finds_the_next_one_and_old_ones_nearby() -> None:
    positions = Positions()
    for page in range(1, 20_000):
        assert positions.start("list", page * 100, 0.0).skip <= (100 if page == 1 else 0)
        positions.learn("list", page * 100, (page,), 0.0)
        positions.learn("list", (page + 1) * 100, (page + 1,), 0.0)
    known = positions._lists["list"].cursors
    assert len(known) <= POSITIONS
    skips = [positions.start("list", page * 100, 0.0).skip for page in range(100, 20_000, 97)]
    assert max(skips) <= 2 * 100 * 20_000 // (POSITIONS // 2)


def test_only_the_lists_that_were_read_last_are_remembered() -> None:
    positions = Positions()
    for number in range(LISTS + 1):
        positions.learn(number, 100, (number,), 0.0)
        positions.start(0, 100, 0.0)
    assert positions.start(0, 100, 0.0) == Start((0,), 0)
    assert positions.start(1, 100, 0.0) == Start(None, 100)
    assert len(positions._lists) == LISTS
