"""The command `cueline`: which subcommands there are, what goes for all of them, and how failures end.

A subcommand's module is imported when it runs: `cueline --help` and a typing error answer at once; who checks rules never waits for Faust.

Exit codes: 0 all is well; 1 what was asked about is not (rules are wrong, a command is refused, topics deviate); 2 the command's words are
wrong; 69 no broker answers; 78 the settings, or the topics that a worker needs, are wrong; 130 interrupted; 141 the pipe's reader has gone.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

UNAVAILABLE: Final = 69
"""EX_UNAVAILABLE of sysexits.h."""
CONFIG: Final = 78
"""EX_CONFIG of sysexits.h."""
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


class Entry(NamedTuple):
    """A subcommand: where it is and what the list of commands says of it."""

    module: str
    attribute: str
    panel: str
    help: str


WRITING, COMMANDING, RUNNING, LOOKING = "Rules", "Commands into the log", "Running", "Events and answers"

COMMANDS: Final[dict[str, Entry]] = {
    "check": Entry("check", "check", WRITING, "Find everything that is wrong in a folder of rules."),
    "test": Entry("test", "test", WRITING, "Run the scenarios in the folder of the rules."),
    "schema": Entry("schema", "schema", WRITING, "Print a JSON Schema, so that an editor completes rule files."),
    "draw": Entry("draw", "draw", WRITING, "Print a journey as a flowchart."),
    "replay": Entry("replay", "replay", WRITING, "Run rules over files or the live log, in virtual time; sends nothing."),
    "apply": Entry("commands", "apply", COMMANDING, "Check rules, publish them, and let every partition switch to them."),
    "pause": Entry("commands", "pause", COMMANDING, "Stop a journey's entries and hold its steps."),
    "resume": Entry("commands", "resume", COMMANDING, "Let a paused journey continue."),
    "go-live": Entry("commands", "go_live", COMMANDING, "From here on, send what is decided."),
    "suppress": Entry("users", "suppress", COMMANDING, "Send nothing to a user any more."),
    "unsuppress": Entry("users", "unsuppress", COMMANDING, "Lift the suppression of a user."),
    "erase": Entry("users", "erase", COMMANDING, "Remove all that is known of a user."),
    "enter": Entry("users", "enter", COMMANDING, "Let a user enter a journey by hand."),
    "override": Entry("commands", "override", COMMANDING, "Let a partition continue that has stopped before a record or a batch."),
    "demo": Entry("demo", "demo", RUNNING, "Show it all at work, on a broker of its own."),
    "worker": Entry("worker", "worker", RUNNING, "Run a worker."),
    "topics": Entry("topics", "topics", RUNNING, "Create, verify, list and delete the topics."),
    "upgrade": Entry("upgrade", "upgrade", RUNNING, "Move a log to this release, its time zone data and its settings."),
    "rebase": Entry("rebase", "rebase", RUNNING, "Decide how a partition continues that a worker refuses to open."),
    "feed": Entry("feed", "feed_files", LOOKING, "Put files of events into the log."),
    "inspect": Entry("inspect", "inspect", LOOKING, "Read any topic, and any user's state."),
}


class Lazy(TyperCommand):
    """A subcommand whose module is imported when it is used. Until then there is only what the list of commands says of it."""

    def load(self) -> Any:  # noqa: ANN401 - Typer names the type of a command nowhere in public
        """Import the module and return the real command."""
        entry = COMMANDS[str(self.name)]
        found = getattr(importlib.import_module(f"streams.cli.{entry.module}"), entry.attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(self.name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = self.name
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401 - as above
        """Hand over to the real command: the context is its own."""
        return self.load().make_context(info_name, args, parent, **extra)


app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
for _name, _entry in COMMANDS.items():
    app.command(_name, cls=Lazy, help=_entry.help, rich_help_panel=_entry.panel)(lambda: None)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        from triggers.base.model import ENGINE
        from triggers.engine.partition import KIND

        try:
            print(f"cueline {version('cueline')}, engine {ENGINE}, {KIND}")
        except PackageNotFoundError:
            print("cueline (from a folder, not installed)")
        raise typer.Exit


@app.callback()
def cueline(
    *,
    config: Annotated[str | None, typer.Option(help="TOML file of settings.", metavar="FILE", show_default=False)] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Brokers to begin with.", metavar="HOST:PORT,...", show_default=False)] = None,
    app: Annotated[str | None, typer.Option(help="Name of the consumer group.", metavar="NAME", show_default=False)] = None,
    prefix: Annotated[str | None, typer.Option(help="Begins the names of all topics.", metavar="TEXT", show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show more, and failures in full.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Act on what people do in an app, by rules, at the right moment, exactly once.

    Settings come from the environment (CUELINE_*), a file cueline.toml, and the options here; docs/operating.md lists them all.

    Examples:

        cueline check rules/
        CUELINE_BOOTSTRAP=kafka:9092 cueline topics create
        cueline --bootstrap kafka:9092 worker
    """
    # Handed on by the environment: so every command, and every process that it starts, reads them the same way.
    for name, value in {"CONFIG": config, "BOOTSTRAP": bootstrap, "APP": app, "PREFIX": prefix}.items():
        if value is not None:
            os.environ[f"CUELINE_{name}"] = value
    if verbose:
        os.environ["CUELINE_VERBOSE"] = "1"
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    else:
        # What they log as an error is either tried again or raised, and then shown in one line.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def main() -> None:
    """Run the command line, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run one command; returns the exit code. Failures are one line on stderr, with the remedy."""
    try:
        result: Any = app(list(words), prog_name="cueline", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer saw it first
            return _pipe_closed()
        raise
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.TyperException as error:
        message = error.format_message()
        if not message or message.startswith("Usage:"):  # a group without a command: that is its help; rich has printed it already
            typer.echo(message, err=True)
        else:
            _complain(_usage(error, message.rstrip("."), words))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a person at a terminal gets one line; --verbose shows the rest
        code = code_of(error)
        if code is None or os.environ.get("CUELINE_VERBOSE"):
            traceback.print_exc()
        _complain(describe(error))
        return 1 if code is None else code
    return result if isinstance(result, int) else 0


def _pipe_closed() -> int:
    """End quietly: the reader of our output has closed the pipe. What is still buffered must not fail again when the interpreter ends."""
    sys.stdout = sys.__stdout__
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return PIPE_CLOSED


def code_of(error: Exception) -> int | None:
    """Return the exit code of a failure that the operator can do something about; None for a bug of ours."""
    from aiokafka.errors import KafkaError

    from streams.commands import rebase
    from streams.commands import send as control
    from streams.commands.snapshot import BadSnapshot
    from streams.commands.topic_layout import TopicsWrong
    from streams.commands.topics import Refused
    from streams.kafka.clients import TopicMissing, Unreachable
    from streams.kafka.records import Unreadable
    from streams.settings import SettingsError
    from triggers.language.documents import RuleErrors

    if isinstance(error, Unreadable):
        return 1
    kinds: list[tuple[tuple[type[Exception], ...], int]] = [
        ((SettingsError, TopicMissing), CONFIG),
        ((Unreachable, KafkaError, TimeoutError), UNAVAILABLE),
        ((control.Refused, rebase.Refused, Refused, TopicsWrong, RuleErrors, BadSnapshot), 1),
        ((OSError,), 1),
    ]
    return next((code for classes, code in kinds if isinstance(error, classes)), None)


def describe(error: Exception) -> str:
    """Put a failure into words, with the remedy."""
    from streams.kafka.records import Unreadable

    if isinstance(error, Unreadable):
        from streams.kafka.skips import remedy
        from streams.settings import load

        return f"{error}. {remedy(error, load().names.events)}"
    return str(error) or type(error).__name__


def _usage(error: typer.TyperException, message: str, words: Sequence[str]) -> str:
    """Add where to look, or where an option belongs. Typer has the classes of these errors in no public place, but their fields are."""
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if hasattr(error, "possibilities"):  # an option that does not exist
        message = _misplaced(str(getattr(error, "option_name", "")), context, words) or message
    return f"{message}{' See' if message.endswith('?') else '; see'} `{context.command_path} --help`"


def _misplaced(option: str, context: Any, words: Sequence[str]) -> str | None:  # noqa: ANN401 - Typer's context
    """Say where an option belongs that is before a command instead of behind it, or the other way round."""
    root = context.find_root()
    if context is not root:
        if any(option in parameter.opts for parameter in root.command.params):
            return f"{option} belongs before the command: `{root.command_path} {option} ... {context.info_name}`"
        return None
    meant = next((word for word in words if word in COMMANDS), None)
    if meant is None or option not in _options(context.command.commands[meant].load()):
        return None
    return f"{option} belongs behind its command: `{root.command_path} {meant} ... {option}`"


def _options(command: Any) -> set[str]:  # noqa: ANN401 - Typer's command
    """All options of a command and of its own commands."""
    own = {name for parameter in command.params for name in parameter.opts}
    return own.union(*map(_options, command.commands.values())) if isinstance(command, TyperGroup) else own


def _complain(message: str) -> None:
    for line in message.splitlines():
        typer.echo(f"cueline: {line}", err=True)


if __name__ == "__main__":
    main()
