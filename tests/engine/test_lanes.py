"""Lanes keep every group in order, whatever is taken, put back, parked or cut."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation, Phase
from orca_daemon.engine.lanes import Lanes, Run
from orca_daemon.engine.message import Envelope


def held(name: str) -> InFlightMessage:
    return InFlightMessage(Envelope(id=name, receipt=name, body=name), received=0, deadline=120, extend_at=40)


def lanes_of(groups: dict[str, int], *, batch: int, merge: bool) -> Lanes:
    lanes = Lanes(batch=batch, merge=merge)
    for number in range(max(groups.values())):
        for group, count in groups.items():
            if number < count:
                lanes.add(group, held(f"{group}{number}"))
    return lanes


def names(run: Run | None) -> list[str]:
    return [] if run is None else [one.envelope.id for one in run.messages]


def test_a_run_is_the_head_of_one_lane() -> None:
    lanes = lanes_of({"a": 3, "b": 1}, batch=10, merge=False)
    assert names(lanes.next_run()) == ["a0", "a1", "a2"]
    assert names(lanes.next_run()) == ["b0"]
    assert lanes.next_run() is None


def test_a_merged_run_takes_the_heads_of_several_lanes_up_to_the_batch() -> None:
    lanes = lanes_of({"a": 3, "b": 3, "c": 3}, batch=7, merge=True)
    assert names(lanes.next_run()) == ["a0", "a1", "a2", "b0", "b1", "b2", "c0"]


def test_a_busy_lane_gives_nothing_until_its_run_is_done() -> None:
    lanes = lanes_of({"a": 3}, batch=1, merge=False)
    run = lanes.next_run()
    assert run is not None
    assert lanes.next_run() is None
    lanes.done(run.parts[0][0])
    assert names(lanes.next_run()) == ["a1"]


def test_a_narrowed_message_runs_alone_and_first() -> None:
    lanes = lanes_of({"a": 3, "b": 1}, batch=10, merge=True)
    run = lanes.next_run()
    assert run is not None
    for one in run.messages:
        one.isolate(Isolation.ALONE)
    for lane, part in run.parts:
        lanes.put_back(lane, part)
        lanes.done(lane)
    assert names(lanes.next_run()) == ["a0"]
    assert names(lanes.next_run()) == ["b0"]


def test_a_parked_lane_waits_with_everything_behind_its_head() -> None:
    lanes = lanes_of({"a": 2}, batch=1, merge=False)
    run = lanes.next_run()
    assert run is not None
    [(lane, part)] = run.parts
    lanes.put_back(lane, part, park=True)
    lanes.done(lane)
    lanes.add("a", held("a2"))
    assert lanes.parked == 3
    assert lanes.next_run() is None
    lanes.unpark(lane)
    assert lanes.parked == 0
    assert names(lanes.next_run()) == ["a0"]


def test_cutting_takes_a_message_and_all_behind_it() -> None:
    lanes = lanes_of({"a": 4}, batch=1, merge=False)
    lane = lanes.lane("a")
    assert lane is not None
    out = lanes.cut(lane, lane.waiting[2])
    assert [one.envelope.id for one in out] == ["a2", "a3"]
    assert [one.envelope.id for one in lane.waiting] == ["a0", "a1"]


STEPS = ("start", "end", "fail", "park", "narrow", "add")


@dataclass
class World:
    """What a random history did, and what must come of it."""

    lanes: Lanes
    sent: dict[str, list[str]] = field(default_factory=dict)
    finished: dict[str, list[str]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)


@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=80),
    st.integers(1, 5),
    st.booleans(),
)
def test_groups_stay_in_order_and_nothing_is_lost(
    steps: list[tuple[str, int]],
    batch: int,
    merge: bool,  # noqa: FBT001  hypothesis gives it by position
) -> None:
    world = World(Lanes(batch=batch, merge=merge))
    for number, (step, choice) in enumerate(steps):
        apply(world, step, choice, f"{number:03d}")
    for lane in world.lanes:
        world.lanes.unpark(lane)
    while world.runs or (run := world.lanes.next_run()):
        if not world.runs:
            assert run is not None
            world.runs.append(run)
        end(world, world.runs.pop())
    assert world.finished == {group: ids for group, ids in world.sent.items() if ids}
    assert world.lanes.parked == 0
    assert len(world.lanes) == 0


def apply(world: World, step: str, choice: int, name: str) -> None:
    """One step of a history."""
    if step == "add":
        group = "abc"[choice % 3]
        world.sent.setdefault(group, []).append(group + name)
        world.lanes.add(group, held(group + name))
    elif step == "start":
        if run := world.lanes.next_run():
            assert all(lane.busy for lane, _ in run.parts)
            world.runs.append(run)
    elif world.runs:
        run = world.runs.pop(choice % len(world.runs))
        if step == "end":
            end(world, run)
            return
        for lane, part in run.parts:
            for one in part:
                if step == "narrow":
                    one.isolate(Isolation.ALONE)
            world.lanes.put_back(lane, part, park=step == "park")
            world.lanes.done(lane)


def end(world: World, run: Run) -> None:
    """A run succeeded."""
    for lane, part in run.parts:
        assert all(one.phase is Phase.RUNNING for one in part)
        world.finished.setdefault(lane.key, []).extend(one.envelope.id for one in part)
        world.lanes.done(lane)
