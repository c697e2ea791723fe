"""`python -m orca_daemon`: the command line."""

from orca_daemon.ops.bootstrap import open_standard_streams, signals_end_the_process
from orca_daemon.ops.gc_tuning import gc_disabled


def main() -> None:
    """Run the command line."""
    open_standard_streams()
    with signals_end_the_process(), gc_disabled():
        from orca_daemon.cli import app

    app()


if __name__ == "__main__":
    main()
