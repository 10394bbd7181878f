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
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Annotated, Any, Final, NamedTuple

import typer
import typer.main

# Typer has its own copy of click since 0.27, and shows none of its base classes by a public name.
from typer._click import ClickException, Command, Context, HelpFormatter
from typer._click.exceptions import NoArgsIsHelpError, NoSuchOption, UsageError
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
    "test": Entry("test", "test", WRITING, "Run the scenarios that lie beside the rules."),
    "replay": Entry("replay", "replay", WRITING, "Run rules over files or the live log, in virtual time; contacts nobody."),
    "apply": Entry("commands", "apply", COMMANDING, "Check rules, publish them, and let every partition switch to them."),
    "pause": Entry("commands", "pause", COMMANDING, "Stop a journey's entries and hold its steps."),
    "resume": Entry("commands", "resume", COMMANDING, "Let a paused journey go on."),
    "go-live": Entry("commands", "go_live", COMMANDING, "From here on, send what is decided."),
    "override": Entry("commands", "override", COMMANDING, "Let a partition go on that has stopped before a record or a batch."),
    "demo": Entry("demo", "demo", RUNNING, "Show it all at work, on a broker of its own."),
    "worker": Entry("worker", "worker", RUNNING, "Run a worker."),
    "topics": Entry("topics", "topics", RUNNING, "Create, verify, list and delete the topics."),
    "upgrade": Entry("upgrade", "upgrade", RUNNING, "Move a log to this release, its time zone data and its settings."),
    "rebase": Entry("rebase", "rebase", RUNNING, "Decide how a partition goes on that a worker refuses to open."),
    "feed": Entry("feed", "feed_files", LOOKING, "Put files of events into the log."),
    "inspect": Entry("inspect", "inspect", LOOKING, "Read any topic, and any user's state."),
}


class Commands(TyperGroup):
    """The subcommands, each loaded when it is used."""

    _listing = False

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name those that are installed, in the order of the table."""
        return [name for name, entry in COMMANDS.items() if find_spec(f"streams.cli.{entry.module}")]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Load one; for the list of commands only what it says of it."""
        entry = COMMANDS.get(cmd_name)
        if entry is None or cmd_name not in self.list_commands(ctx):
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)
        found = getattr(importlib.import_module(f"streams.cli.{entry.module}"), entry.attribute)
        if isinstance(found, typer.Typer):
            command = typer.main.get_command(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the one that is asked for, else offer the nearest: click knows only commands that are loaded."""
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near and not args[0].startswith("-"):
                error.message = f"{error.message.rstrip('.')}. Did you mean {near[0]!r}?"
            raise

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


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
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more, and failures in full.")] = False,
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
        # What they log as an error is either tried again or raised, and then told in one line.
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
    except NoArgsIsHelpError as error:
        typer.echo(error.format_message(), err=True)
        return 2
    except ClickException as error:
        _complain(_usage(error, words))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a person at a terminal gets one line; --verbose shows the rest
        code = code_of(error)
        if code is None or os.environ.get("CUELINE_VERBOSE"):
            traceback.print_exc()
        _complain(told(error))
        return 1 if code is None else code
    return result if isinstance(result, int) else 0


def _pipe_closed() -> int:
    """Whoever read our output has seen enough. What is still buffered must not fail again when the interpreter ends."""
    sys.stdout = sys.__stdout__
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return PIPE_CLOSED


def code_of(error: Exception) -> int | None:
    """Tell the exit code of a failure that a person can do something about; None for one that is ours."""
    from aiokafka.errors import KafkaError

    from streams.commands import rebase
    from streams.commands import send as control
    from streams.commands.snapshot import BadSnapshot
    from streams.commands.topics import Refused, TopicsWrong
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
        ((FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError), 1),
    ]
    return next((code for classes, code in kinds if isinstance(error, classes)), None)


def told(error: Exception) -> str:
    """Put a failure into words, with the remedy."""
    from streams.kafka.records import Unreadable

    if isinstance(error, Unreadable):
        from streams.kafka.skips import remedy
        from streams.settings import load

        return f"{error}. {remedy(error, load().names.events)}"
    return str(error) or type(error).__name__


def _usage(error: ClickException, words: Sequence[str]) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if isinstance(error, NoSuchOption):
        message = _misplaced(error.option_name, context, words) or message
    return f"{message}{' See' if message.endswith('?') else '; see'} `{context.command_path} --help`"


def _misplaced(option: str, context: Context, words: Sequence[str]) -> str | None:
    """Say where an option belongs that stands before a command instead of behind it, or the other way round."""
    root = context.find_root()
    if context is not root:
        if any(option in parameter.opts for parameter in root.command.params):
            return f"{option} belongs before the command: `{root.command_path} {option} ... {context.info_name}`"
        return None
    meant = next((word for word in words if word in COMMANDS), None)
    group = context.command
    if meant is None or not isinstance(group, TyperGroup) or option not in _options(group.get_command(context, meant), context):
        return None
    return f"{option} belongs behind its command: `{root.command_path} {meant} ... {option}`"


def _options(command: Command | None, context: Context) -> set[str]:
    """All options of a command and of its own commands."""
    if command is None:
        return set()
    found = {name for parameter in command.params for name in parameter.opts}
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            found |= _options(command.get_command(context, name), context)
    return found


def _complain(message: str) -> None:
    for line in message.splitlines():
        typer.echo(f"cueline: {line}", err=True)


if __name__ == "__main__":
    main()
