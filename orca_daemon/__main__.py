"""`python -m orca_daemon`: the command line."""

from orca_daemon.ops.bootstrap import garbage_is_kept, open_standard_streams, signals_end_the_process


def main() -> None:
    """Run the command line."""
    open_standard_streams()
    with signals_end_the_process(), garbage_is_kept():
        from orca_daemon.cli import app

    app()


if __name__ == "__main__":
    main()
