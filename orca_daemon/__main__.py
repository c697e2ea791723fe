"""`python -m orca_daemon`: the command line."""


def main() -> None:
    """Run the command line."""
    from orca_daemon.cli import app

    app()


if __name__ == "__main__":
    main()
