"""Decide at which level of each tier a user is, and when time alone could change that.

    highest level known to be true      all above it false       one above it unknown
    above the user's level              the user rises           the level is set, without a move
    the user's level                    it stays                 it stays
    below it, for less than `keep`      it stays                 it stays
    below it, for `keep`                the user falls to it     it stays

The first level that is known is a move only if an event made it known. A changed definition sets the level without a move and without
grace. A new rule set lets no user fall: a level that has ended by a shorter `keep` is lost a millisecond later, so that the fall enters
journeys as each fall does. An absent standing means: known to be below the first level, and time alone cannot change that.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Literal

from triggers.base.model import NEVER
from triggers.causes.cause import Change
from triggers.causes.tier import moved
from triggers.journeys.context import UserContext
from triggers.journeys.crossing import Crossing
from triggers.journeys.events import Match
from triggers.journeys.levels import NO_TIERS, Sight, TierPlan
from triggers.state.sections.tiers import TIERS
from triggers.state.tiers import TierStanding

By = Literal["event", "time", "rules"]
NO_MOVES: Final[dict[str, Change]] = {}
"""No code may change it."""


def move_by_event(
    context: UserContext, match: Match, traits: Mapping[str, Any] | None, *, touched: bool, new: bool
) -> tuple[dict[str, Change], bool]:
    """Look at the tiers that an event affects. Return the moves, and whether it looked at any.

    `touched`: the event has changed a window; `traits`: what it has changed; `new`: it is the user's first record.
    """
    plan = context.plan.tiers
    if new:
        return _evaluate(context, plan.plans, "event", unknown=True), True
    tiers = match.tiers if touched else NO_TIERS
    if traits:
        named = plan.plans if "timezone" in traits else [tier for trait in traits for tier in plan.by_trait.get(trait, NO_TIERS)]
        pinned = _pinned(context)
        if named or pinned:
            names = {tier.name for tier in (*tiers, *named)}
            asked = [tier for tier in pinned if tier.name in names or "timezone" in traits or not tier.traits.isdisjoint(traits)]
            tiers = [tier for tier in plan.plans if tier.name in names] + asked
    return (_evaluate(context, tiers, "event"), True) if tiers else (NO_MOVES, False)


def move_by_time(context: UserContext) -> dict[str, Change]:
    """Look at the tiers that are due."""
    if not context.user.has(TIERS):
        return NO_MOVES
    now = context.now
    standings: dict[str, TierStanding] = context.user.value(TIERS)
    due = {name for name, standing in standings.items() if standing.due <= now}
    return (
        _evaluate(context, [tier for tier in (*context.plan.tiers.plans, *_pinned(context)) if tier.name in due], "time")
        if due
        else NO_MOVES
    )


def meet_tiers(context: UserContext, crossing: Crossing) -> dict[str, Change]:
    """Set the tiers that a new rule set has changed, and look at all if the default time zone is another one."""
    tiers = context.plan.tiers.plans if crossing.moved else crossing.tiers
    pinned = _pinned(context)
    if pinned:
        keep_pinned(context, pinned)
        tiers = [*tiers, *pinned] if crossing.moved else tiers
    return _evaluate(context, tiers, "rules", renewed=crossing.new_levels) if tiers else NO_MOVES


def _pinned(context: UserContext) -> list[TierPlan]:
    """List the tiers that only runs of older rule sets need."""
    runs = context.user.runs
    return [pinned.tier for pinned in context.pinned_tiers(runs).values()] if runs else NO_TIERS


def keep_pinned(context: UserContext, tiers: Iterable[TierPlan]) -> None:
    """Set the tiers that only runs of older rule sets need by the definition that counts for them now, without a move."""
    standings: dict[str, TierStanding] = context.user.value(TIERS)
    changed = [tier for tier in tiers if tier.name not in standings or standings[tier.name].key != tier.key]
    _evaluate(context, changed, "rules", renewed={tier.name for tier in changed})


def _evaluate(
    context: UserContext, tiers: Iterable[TierPlan], by: By, *, unknown: bool = False, renewed: Collection[str] = ()
) -> dict[str, Change]:
    """Set the level of each tier and the next moment to look at it. Return the moves.

    `unknown`: a missing standing says nothing; `renewed`: tiers whose definition is another one.
    """
    moves: dict[str, Change] = {}
    standings: dict[str, TierStanding] = context.user.value(TIERS)
    for tier in tiers:
        sight = tier.look(context.view)
        standing = standings.get(tier.name)
        if standing is None or standing.key != tier.key:
            is_renewed = standing is not None or tier.name in renewed
            standing = standings[tier.name] = TierStanding(tier.key, since=context.now, sure=not unknown)
            if is_renewed:
                standing.level, standing.sure = sight.highest, sight.is_sure(sight.highest)
        _move(context, tier, standing, sight, by, moves)
        ends = standing.below + tier.keep
        standing.due = min(sight.due, ends) if standing.below >= 0 and ends > context.now else sight.due
        if standing.level == 0 and standing.sure and standing.due == NEVER:
            del standings[tier.name]
    return moves


def _move(context: UserContext, tier: TierPlan, standing: TierStanding, sight: Sight, by: By, moves: dict[str, Change]) -> None:
    """Let a user rise, fall or stay."""
    now, level, highest = context.now, standing.level, sight.highest
    if highest > level:
        is_sure = sight.is_sure(highest)
        if is_sure and (standing.sure or by == "event"):
            moves[moved(tier.name)] = "rises"
            moves[moved(tier.name, tier.tier.levels[highest - 1].name)] = "reaches"
            _say(context, tier, level, highest)
        standing.level, standing.since, standing.below, standing.sure = highest, now, -1, is_sure
        return
    standing.sure = standing.sure or sight.is_sure(level)
    if sight.holds(level):
        standing.below = -1
        return
    if standing.below < 0:
        standing.below = now
    if now - standing.below >= tier.keep and sight.is_sure(highest):
        if by == "rules":
            standing.below = now + 1 - tier.keep
            return
        moves[moved(tier.name)] = "falls"
        _say(context, tier, level, highest)
        standing.level, standing.since, standing.below = highest, now, -1


def _say(context: UserContext, tier: TierPlan, before: int, level: int) -> None:
    """Report a move, with what decides about the higher one of both levels."""
    name, old = tier.tier.level(level), tier.tier.level(before)
    reason = f"falls below {tier.tier.level(1)}" if name is None else f"{'rises' if level > before else 'falls'} to {name}"
    context.outbox.decision(
        "tier",
        reason,
        user=context.user_id,
        at=context.now,
        offset=context.user.offset,
        rule_set=context.plan.hash,
        values={"tier": tier.name, "level": name, "before": old, **tier.explain(max(before, level), context.view)},
    )
