"""What a step may see and do while the engine carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.definitions.model import Journey
    from triggers.language.templates import Template
    from triggers.measures.reading import View
    from triggers.policies.plan import PolicyPlan
    from triggers.records.decisions import Kind
    from triggers.state.position import Position
    from triggers.state.runs import Run, Standing
    from triggers.state.user import User
    from triggers.steps.program import Entry, Outcome

Stage = Literal["continue", "send", "set", "hand over"]
"""When the engine asks the gates: before a resting run continues, a message is made, traits are set, or an action is handed over."""


class StepContext(Protocol):
    """One run at one moment."""

    @property
    def now(self) -> int:
        """The logical time, ms."""

    @property
    def view(self) -> View:
        """The user, as conditions see it."""

    @property
    def run(self) -> Run:
        """The run. A step may move its moment and say whether it is late."""

    @property
    def user_id(self) -> str:
        """The id of the user."""

    @property
    def user(self) -> User:
        """The user's state."""

    @property
    def journey(self) -> Journey:
        """The version of the journey that the run belongs to."""

    @property
    def position(self) -> Position:
        """What commands have set for the whole partition."""

    @property
    def policies(self) -> PolicyPlan | None:
        """The policies of the active rule set; None: it has none."""

    @property
    def channel(self) -> str:
        """The channel of the message that the gates are asked about."""

    @property
    def not_after(self) -> int | None:
        """How long after its moment that message is worth delivering, ms."""

    @property
    def arm(self) -> str | None:
        """The run's arm of control and holdout; None: its journey had neither when it entered."""

    @property
    def was_held(self) -> bool:
        """Whether a policy has held that message before."""

    @property
    def sends(self) -> bytes:
        """The user's send log; see `triggers.state.sends`."""

    def pass_gates(self, entry: Entry, stage: Stage) -> Outcome | None:
        """Ask the gates of a stage. If one says no, record that decision and return what follows from it."""

    def decide(self, entry: Entry, kind: Kind, reason: str | None = None, values: dict[str, Any] | None = None) -> None:
        """Record a decision about the run at this entry."""

    def took(self, entry: Entry, branch: str | None, values: Mapping[str, Any], *, unknown: bool = False) -> None:
        """Record which branch the run takes: the next decision about it says so. None: none of them.

        `values` are those behind it; `unknown`: a condition on the way was unknown, so it did not hold.
        """

    def keep_arm(self, split: str, arm: str) -> None:
        """Remember the arm of a split. Later decisions and actions of the run name it."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Where the user is, by the key of the segment."""

    def take_cause(self) -> int:
        """Return the number of the cause that has ended the run's wait, and forget it; -1: the time is out."""

    def forget_event(self) -> None:
        """Forget what has ended the run's last wait."""

    def render(self, templates: Mapping[str, Template]) -> dict[str, str]:
        """Fill in texts. Raises `TemplateFailed`."""

    def set_traits(self, entry: Entry, traits: Mapping[str, Any]) -> None:
        """Set traits of the user, and record that. The engine decides what follows when the entry is done."""

    def hand_over(self, entry: Entry, content: Mapping[str, Any], not_after: int | None) -> Outcome | None:
        """Ask the last gates, put out an action with this content, and record `sent`. Raises `TooBig`.

        `not_after`: how long after its moment the action is worth delivering, ms. Returns what `pass_gates` returns.
        """
