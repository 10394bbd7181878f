"""`python tests/crash/builds.py BUILD WORDS...`: the command line of another build, made of this one.

`other`: the same release, which cuts its work into other slices. `next`: the next release, with the next engine number.
"""

import sys

from triggers.base import model


def main(build: str, words: list[str]) -> int:
    """Become that build, and run a command."""
    if build == "next":
        model.ENGINE += 1  # type: ignore[misc]  # before other modules read it
    from streams.cli.main import run
    from streams.worker import slices
    from triggers.engine import commands as engine
    from triggers.state.position import Position

    assert Position().engine == model.ENGINE

    if build == "other":
        slices.SLICE, slices.DRAIN, engine.USERS = 37, 5, 11  # type: ignore[misc]
    return run(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
