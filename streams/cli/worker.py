"""`cueline worker`: run one worker until it gets a signal."""

import typer


def worker() -> None:
    """Run a worker: read `events`, decide, and write `actions`, each exactly once.

    Run as many as you like, up to one per partition. They share the partitions, and take over those of a worker that dies. SIGTERM (or
    Ctrl-C) saves and leaves within 10 seconds.

    Examples:

        cueline worker
        CUELINE_BOOTSTRAP=kafka-1:9092,kafka-2:9092 CUELINE_HTTP_PORT=9100 cueline worker

    Exit codes: 0 after SIGTERM; 78 if settings, topics or a partition's position do not allow it to run (a restart does not help); any
    other after a failure: start it again, nothing is lost.
    """
    from streams.settings import load
    from streams.worker.app import run

    raise typer.Exit(run(load()))
