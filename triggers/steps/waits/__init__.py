"""The forms of `wait`, one module a form.

A new form is a class in its own module, and an item of `FORMS`.
"""

from __future__ import annotations

from triggers.steps.waits.calendar import CalendarWait
from triggers.steps.waits.cause import CauseWait
from triggers.steps.waits.clock import ClockWait
from triggers.steps.waits.date import DateWait
from triggers.steps.waits.delay import Delay
from triggers.steps.waits.form import FORMS, WaitForm
from triggers.steps.waits.side import SegmentWait

__all__ = ["FORMS", "Delay", "WaitForm"]

FORMS.extend([Delay, CalendarWait, DateWait, ClockWait, CauseWait, SegmentWait])
