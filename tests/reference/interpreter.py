"""RULES.md, executed as it reads: slow, by brute force, and without a line of the engine.

All events are kept and every condition is computed from all of them. Between two records nothing is predicted: every local
midnight, every pane's edge and every moment at which something exact could run out is looked at.

AMBIGUITIES of RULES.md, and how they are read here

Windows and values
 1.  Numbers and texts. A text that is written like a number is one where the other side is a number. Else things of different kinds are
     different (`!=` true) and in no order (`<` false). Lists and objects are null. `distinct` takes "1" and 1 for two values; null is none.
 2.  Dividing by zero gives null (so the comparison is false), over bounds that include zero unknown. Null with unknown is null.
 3.  Arithmetic of lower bounds is arithmetic of intervals; `count() == 2` over a lower bound of 3 is false, not unknown.
 4.  `first` and `last` over an incomplete window are unknown, also where the last event surely is the last. Inside a window they are exact:
     an event L before now is outside. `did(E, days=N)` is N x 24 h, whatever the local days.
 5.  A pane of days that lies in the future, because the user has moved west, is inside: what has happened has happened.
 6.  A window is complete when it is kept since a moment not later than the first one that it covers (for days: the local midnight, in the
     zone of today). So a window of 7 days is complete after 6 midnights and not after 7 x 24 h. In `every_day` each day is judged alone.
 7.  `every_day` counts dates; a date that the zone skipped is a day without events.
 8.  "The rule set that first needed the window": since it has been needed without a gap, by the rule set or by a running run. A window is
     what `Measure.key` names; so `did(E, days=7)` and `did(E, days=60)` and `last(E)` are one.
 9.  "Had records before": any record of the user that could be read, also an identify, a group or a duplicate.
10.  Which zone: the trait `timezone` if it names one that is known, else the rule set's, also for what was folded before.

Segments
11.  "The first known value, if an event made it known": any record of the user that is no duplicate, also an identify.
12.  Unknown in between changes nothing: the latest known value counts. True, unknown, false is leaving; false, unknown, true is entering.
13.  A segment is its condition: under another name it is the same. With another condition it is a new one: the user is met, inside or
     outside, and neither enters nor leaves. What meeting itself changes (another default zone) ends runs, but causes no entry.
14.  A segment that only a running run needs for its exits is evaluated as long as the run lasts, then forgotten.

Entries and exits
15.  "An entry event that also satisfies the exit": also an exit by a segment that changes at the same record or moment, and also an
     entry by a segment that the event changed. It is said before anything about re-entry.
16.  The moment of an entry, from which waits count, is the event's time for `entry: {event}`; for `enters` and `leaves` it is the logical
     time of the change, also if a late event made it. Re-entry counts from logical time to logical time: two entries that a phone sends
     days late, at once, are one too many.
17.  An entry while the journey is paused is `refused`. Refused and skipped entries do not count for re-entry.
18.  Exits by segments look at changes only; who is outside already has not left. They look before the entries of the same record: a user
     whose run ends can enter again by the same record, if it does not satisfy the exit.
19.  At a timer's moment the entries of changed segments come before the steps that are due: a run that would end with its last step now
     still refuses the entry.
20.  `on_change`: what the new version says; where the journey is gone, what the old one said; nothing where the version is the same.
     A run whose journey decides the same in the new rule set belongs to that one from then on.

Steps
21.  A second wait counts from the moment for which the first was meant, however late it was reached.
22.  `due` of a step without a wait before it is the entry's moment.
23.  Late means more than `after`. It is measured when armed, or for what was held when resumed. It skips the sends up to the next wait.
24.  `when` with `wait` is asked before the wait. A run that `when` ends is `exited`.
25.  A held step says `paused` once, at its moment, with the name of its wait. Exits still end it.
26.  A record moves a user through 1,000 steps, over all runs, and so does each moment, also one that is the record's own. The run that
     would take the next one has `failed`.
27.  A run that ends by itself is `exited`. Nothing is said here about `met`, and about unknown only where `when` ended a run.
28.  A wait whose moment has come already when it is reached is no wait: it does not say `waiting`, and the run goes before the next one.
29.  `pause` holds also the runs of a journey that the active rule set does not have any more.
32. A wait for a cause that is reached when its time is already out is no wait: it times out at that moment, late or not. Nor is one for a
    side of a segment that the latest known value shows: the next step keeps the moment of the step before.
33. Of two causes of a list that come by one record the first in the list counts. A cause that comes at the moment of the time-out wins.

Commands about one user
32.  A user who has had only commands has no record: rules are not met, and the next record is the first one.
33.  What is suppressed is asked before anything else of a send, also before its lateness. A suppressed channel or all of them: lifting a
     channel does not lift the suppression of all, lifting all lifts each.
34.  Who enters by command is asked what each entry is asked: pause, running run, re-entry, room; the moment is that of the command.

Order
30. Runs that leave by a segment come by journey name. Those that take their steps at one record, or whose waits end at one moment, come by
    priority, the highest first, then those that enter now before those whose wait ends, then by journey name.
31.  It is open which of several runs comes first (`Outcome.tie`) where they end by one event or by one rule set, and at a timer's moment
     between the steps of those that enter now and of those whose wait ends now.
"""

from collections.abc import Mapping, Sequence

from tests.reference.life import Life
from tests.reference.log import Command, Entry, Outcome, Said, Tick, UserCommand
from tests.reference.orders import Silence, follow
from tests.reference.reading import needed
from tests.reference.runs import Switches
from triggers.definitions.model import RuleSet


def interpret(
    rule_sets: Mapping[str, RuleSet], log: Sequence[Entry], *, topic: str = "events", partition: int = 0, epoch: int = 0
) -> list[Outcome]:
    """All decisions about all users of one partition, each user's in order.

    `rule_sets` are by hash. Topic and partition decide nothing: they are the causes that a decision names.
    """
    del topic, partition
    outcomes: list[Outcome] = []
    switches = Switches()
    lives: dict[str, Life] = {}
    silence = Silence()
    clock = 0
    for entry in log:
        clock = max(clock, entry.timestamp)
        for life in lives.values():
            life.advance(clock)
            life.forget()
        if isinstance(entry, Command):
            obey(entry, rule_sets, switches, lives, clock)
        elif isinstance(entry, UserCommand):
            follow(entry, switches, lives, silence, clock)
        elif isinstance(entry, Said):
            if entry.user not in lives:  # what was commanded about the user before goes along
                suppressed, ids = silence.pop(entry.user)
                lives[entry.user] = Life(entry.user, switches, epoch, outcomes, now=clock, suppressed=suppressed, message_ids=ids)
            life = lives[entry.user]
            life.record(entry, clock)
            life.forget()
    return outcomes


def interpret_apart(rule_sets: Mapping[str, RuleSet], log: Sequence[Entry], epoch: int = 0) -> list[Outcome]:
    """The same, user by user: they do not depend on each other. For long logs of many users it takes a part of the time."""
    own: dict[str, list[Entry]] = {entry.user: [] for entry in log if isinstance(entry, Said | UserCommand)}
    clock = 0
    for entry in log:
        clock = max(clock, entry.timestamp)
        told = list(own) if isinstance(entry, Command) else [entry.user] if isinstance(entry, Said | UserCommand) else []
        for user in told:
            own[user] += [Tick(offset=entry.offset, timestamp=clock), entry]
    end = Tick(offset=len(log), timestamp=clock)
    return [outcome for entries in own.values() for outcome in interpret(rule_sets, [*entries, end], epoch=epoch)]


def obey(command: Command, rule_sets: Mapping[str, RuleSet], switches: Switches, lives: Mapping[str, Life], clock: int) -> None:
    """Carries out a command, for all users at the moment of the clock."""
    match command.kind:
        case "apply":
            assert command.rule_set is not None
            before = {user: (needed(life), life.zone) for user, life in lives.items()}
            switches.rules = rule_sets[command.rule_set]
            for user, life in lives.items():
                life.meet(*before[user], command.offset, clock)
        case "pause":
            assert command.journey is not None
            switches.paused.add(command.journey)
        case "resume":
            assert command.journey is not None
            switches.paused.discard(command.journey)
            for life in lives.values():
                life.resume(command.journey, clock)
        case "go-live":
            switches.live = True
