"""Records, positions and users in words: a line for each record, a page for one user.

What they hold was written by others, so every line is made `printable` when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from streams.cli.words import count_of, printable
from triggers.records.lines import (
    action_words,
    as_json,
    brief,
    call_words,
    command_words,
    dead_letter_words,
    decision_words,
    moment,
    user_command_words,
)

__all__ = ["as_json", "of_decision", "of_position", "of_record", "of_user", "of_user_line"]

Document = Mapping[str, Any]


def of_record(word: str, document: Document) -> str:
    """One line: when, where, whose, what. Of actions and decisions the moment is the one that they are for, not that of writing."""
    place = f"{document['partition']}@{document['offset']}"
    value, at = document["value"], document["timestamp"]
    if word in {"actions", "decisions"} and isinstance(value, dict):
        at = moment(value.get("at"))
    return printable(f"{at}  {place:<9} {_WORDS[word](document)}")


def of_decision(value: Document) -> str:
    """One line for a decision that is written nowhere."""
    return printable(f"{moment(value.get('at'))}  {_who(value.get('user'))} {decision_words(value)}")


def _event(document: Document) -> str:
    headers, value = document["headers"], document["value"]
    if "cueline-control" in headers:
        kind = headers["cueline-control"]
        if kind == "user-command":
            return f"{_key(document)} {user_command_words(value)}"
        return kind if kind != "command" else command_words(value)
    return f"{_key(document)} {call_words(value, document['timestamp'])}"


def _action(document: Document) -> str:
    return f"{_user(document)} {action_words(document['value'])}"


def _decision(document: Document) -> str:
    return f"{_user(document)} {decision_words(document['value'])}"


def _receipt(document: Document) -> str:
    return f"{_key(document)} {_short(document['value'])}"


def _dead_letter(document: Document) -> str:
    return f"{_key(document)} {dead_letter_words(document['headers'])} {_short(document['value'])}"


def _rule(document: Document) -> str:
    """By the table in `streams.commands.history`; a record that Cueline has not written is shown as it is."""
    key, value = document["key"] or "", document["value"]
    kind, _, rest = key.partition(":")
    if not isinstance(value, dict):
        return f"{key} deleted" if value is None else f"{key} {_short(value)}"
    if kind == "rule-set":
        return f"rule set {rest[:12]}: {', '.join(map(str, value.get('files') or ()))}"
    if key == "command:head":
        return f"last {command_words(value)}"
    if kind == "command" and isinstance(value.get("command"), dict):
        words = command_words(value["command"])
        return f"{words} by {value.get('by')} at {moment(value.get('at'))}, offsets {_short(value.get('offsets'))}"
    if kind == "override":
        topic, _, place = rest.partition(":")
        partition, _, offset = place.partition(":")
        where = f"{topic}[{partition}] {'offsets' if '-' in offset else 'offset'} {offset}"
        return f"override of {where} by {value.get('by')} at {moment(value.get('at'))}: {_short(value.get('reason'))}"
    if kind == "audit":
        return _audit(value)
    return f"{key} {_short(value)}"


def _audit(value: Document) -> str:
    """Return one line on what a rebase did to one partition."""
    what = value.get("kind") if value.get("done", True) else f"{value.get('kind')} begun, not done,"
    before, after = (_folded(value.get(name)) for name in ("before", "after"))
    users = value.get("users")
    states = f"states of {count_of(users, 'user')}" if isinstance(users, int) else "states"
    return (
        f"{what} of partition {value.get('partition')} from {value.get('from')} by {value.get('by')} at {moment(value.get('at'))}: "
        f"{states}: {value.get('state')}; before: {before}, now: {after}, epoch {value.get('epoch')}"
        + "".join(f"; {note}" for note in value.get("notes") or ())
    )


def _folded(position: object) -> str:
    return f"folded up to offset {position.get('offset')}" if isinstance(position, Mapping) else "nothing folded"


_WORDS: Final[Mapping[str, Callable[[Document], str]]] = {
    "events": _event,
    "actions": _action,
    "decisions": _decision,
    "receipts": _receipt,
    "dead-letters": _dead_letter,
    "rules": _rule,
}


def _key(document: Document) -> str:
    return _who(document["key"])


def _user(document: Document) -> str:
    """Of actions and decisions, which say whose they are."""
    value = document["value"]
    return _who(value.get("user")) if isinstance(value, dict) else _key(document)


def _who(user: object) -> str:
    return f"{'-' if user is None else str(user):<16}"


def _short(value: object) -> str:
    return brief(value, quoted=False)


# ---- positions and users ---------------------------------------------------------------------------------------------


def of_position(document: Document) -> str:
    """One line for a partition."""
    if document["offset"] is None:
        return f"partition {document['partition']:<4} nothing folded yet, {document['behind']:,} behind"
    words = [
        f"offset {document['offset']:,}",
        "of another topic than events is now" if document["behind"] is None else f"{document['behind']:,} behind",
        f"clock {document['clock'] or '-'}",
        f"rule set {(document['rule_set'] or 'none')[:12]}",
        "live" if document["live"] else "dry",
        f"command {document['last_command']}",
        f"epoch {document['epoch']}",
    ]
    if document["paused"]:
        words.append(f"paused: {' '.join(document['paused'])}")
    if document["meeting"]:
        words.append(f"users are meeting {document['meeting']}")
    if document.get("handed_to"):
        words.append(f"handed over to engine {document['handed_to']['engine']}, tzdata {document['handed_to']['tzdata']}")
    return printable(f"partition {document['partition']:<4} {', '.join(words)}")


def of_user_line(document: Document) -> str:
    """One line of the list of users."""
    due = document["due"] or "nothing"
    return printable(f"{document['user']:<24} partition {document['partition']:<4} waits for {due:<24} {document['bytes']:,} bytes")


def of_user(document: Document) -> str:
    """Yield the page about one user."""
    return "\n".join(map(printable, _page(document)))


def _page(document: Document) -> Iterator[str]:
    yield f"user {document['user']}"
    yield f"  partition {document['partition']}, last record at offset {document['last_record']}, {document['bytes']:,} bytes of state"
    yield f"  the partition's clock is at {document['clock'] or 'nothing yet'}"
    unknown = document.get("unknown_time_zone")
    yield f"  time zone {document['time_zone']}" + (f": the trait timezone names an unknown one, {_short(unknown)}" if unknown else "")
    if document.get("arm"):
        yield f"  measured as {document['arm']}"
    yield from _section("traits", (f"{name}: {_short(value)}" for name, value in document["traits"].items()))
    yield from _section("windows", (line for window in document["windows"] for line in _window(window)))
    yield from _section("segments", (line for standing in document["segments"] for line in _standing(standing)))
    yield from _if_any("tiers", (_tier(tier) for tier in document.get("tiers") or ()))
    yield from _section("runs", (line for run in document["runs"] for line in _run(run)))
    yield from _if_any("goals watched", (_goal(goal) for goal in document.get("goals") or ()))
    yield from _if_any("schedules", (_schedule(schedule) for schedule in document.get("schedules") or ()))
    yield from _if_any("caps", (_cap(cap) for cap in document.get("caps") or ()))
    yield from _section(
        "refusals", (f"{r['journey']}: {r['reason']} on {r['told']}, {r['not_told']} not written" for r in document["refusals"])
    )
    if document.get("suppressed"):
        shown = ((one["channel"], one["since"], f": {one['reason']}" if one["reason"] else "") for one in document["suppressed"])
        yield from _section("suppressed", (f"{channel} since {since}{why}" for channel, since, why in shown))
    yield from _section("last entries", (f"{at}  {journey}" for journey, at in document["entered"].items()))
    yield from _section("timers", (f"{timer['at']}  {timer['what']}" for timer in document["timers"]))
    yield f"  message ids remembered against duplicates: {document['message_ids'] + document['unread_message_ids']:,}"
    if document.get("unknown_rule_sets"):
        yield f"  rule sets that could not be read: {', '.join(document['unknown_rule_sets'])}"


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield f"  {name}{'' if found else ': none'}"
    for line in found:
        yield f"    {line}"


def _if_any(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a section that only some rules need."""
    found = list(lines)
    if found:
        yield from _section(name, found)


def _window(window: Document) -> Iterator[str]:
    since = f"  (complete since {window['complete_since']})" if window["complete_since"] else ""
    if until := window.get("incomplete_until"):
        since = f"  (knows only what came from {window['complete_since']} on; incomplete {'' if until == 'for ever' else 'until '}{until})"
    now = window.get("value", window.get("at"))
    yield window["measure"] + (f": {_short(now)}" if now is not None else "") + since
    for name in ("panes", "values"):
        if window.get(name):
            yield "  " + "  ".join(f"{pane}: {_plain(value)}" for pane, value in window[name].items())
    if window.get("times"):
        yield "  " + "  ".join(window["times"])


def _standing(standing: Document) -> Iterator[str]:
    where = {True: "inside", False: "outside", None: "unknown"}[standing["inside"]]
    look = f", looked at again {standing['next_look']}" if standing["next_look"] else ""
    yield f"{standing['segment']}: {where}{look}"
    for what, value in standing["values"].items():
        yield f"  {what} = {_plain(value)}"


def _run(run: Document) -> Iterator[str]:
    yield run["run"]
    hold = run.get("hold")
    if hold and run["due"]:
        state = f"its message is held until {hold['until']}: {hold['reason']}"
    elif run["held"]:
        state = "held: the journey is paused"
    else:
        state = f"due {run['due'] or 'now'}{', late' if run['late'] else ''}"
    yield f"  entered {run['entered']}, next step {run['next_step'] or '?'} of {run['steps'] or '?'}, {state}"
    if kept := _kept(run):
        yield f"  {kept}"


def _kept(run: Document) -> str:
    """Return the key and the arms of a run or of a watched goal."""
    parts = [f"{name} {run[name]}" for name in ("key", "arm") if run.get(name)]
    return ", ".join([*parts, *(f"{split}: {arm}" for split, arm in (run.get("arms") or {}).items())])


def _goal(goal: Document) -> str:
    times = f"reached {count_of(goal['conversions'], 'time')}" if goal["conversions"] else "not reached yet"
    kept = _kept(goal)
    return f"{goal['journey']} until {goal['until']}, entered {goal['entered']}, {times}{f' ({kept})' if kept else ''}"


def _tier(tier: Document) -> str:
    since = f" since {tier['since']}" if tier["since"] else ""
    until = f", until {tier['until']} if nothing happens" if tier["until"] else ""
    return f"{tier['tier']}: {tier['level'] or 'below the first level'}{since}{until}"


def _schedule(schedule: Document) -> str:
    last = f", last for {schedule['last']}" if schedule["last"] else ""
    return f"{schedule['journey']}: next entry {schedule['next'] or 'not known'}{last}"


def _cap(cap: Document) -> str:
    room = f", room from {cap['room_from']}" if cap["room_from"] else ""
    return f"{cap['cap']}: {cap['used']} of {cap['most']} used in {cap['per']}{room}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else _short(value)
