"""`./dev simulate [--histories N] [--seed S]`: play random histories, print those that break a promise."""

import argparse
import sys
import time

from tests.simulation.history import draw
from tests.simulation.promises import broken
from tests.simulation.world import play


def main() -> int:
    """Play; exit 1 if any promise was broken."""
    parser = argparse.ArgumentParser(prog="./dev simulate", description=__doc__)
    parser.add_argument("--histories", type=int, default=5000, help="how many (default 5000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one (default 0)")
    parser.add_argument("--seed", type=int, help="play only this one, and print all that happened")
    options = parser.parse_args()
    if options.seed is not None:
        return _one(options.seed)
    began = time.monotonic()
    bad = 0
    for seed in range(options.first, options.first + options.histories):
        if problems := broken(play(draw(seed))):
            bad += 1
            print(f"seed {seed}: " + "\n          ".join(problems))
    seconds = time.monotonic() - began
    print(f"{options.histories} histories in {seconds:.1f} s, {bad} broke a promise")
    if bad:
        print("repeat one with: ./dev simulate --seed SEED")
    return 1 if bad else 0


def _one(seed: int) -> int:
    history = draw(seed)
    outcome = play(history)
    print(history)
    for entry in outcome.record.entries:
        print(f"{entry.at:10.3f} life {entry.life} {entry.what:10} {' '.join(entry.ids)} {entry.facts or ''}")
    print({name: state for name, state in outcome.queues.states().items() if state != "deleted"})
    problems = broken(outcome)
    print("\n".join(problems) or "every promise was kept")
    return 1 if problems else 0


sys.exit(main())
