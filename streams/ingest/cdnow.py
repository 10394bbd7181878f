"""Real input for a first look: the purchases of an online CD shop's customers in 1997 and 1998, as Segment `track` events.

RULES.md defines what counts: each line of the file is one order, $0 included, ties in file order. `messageId` is file and line number (255
lines repeat another one exactly and are still orders). Times are UTC. The user is the customer's number in the master file, also for the
sample, whose lines begin with it.

The files are public research data (Fader & Hardie). They come from the wheel `Lifetimes==0.11.3`, which contains them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal
from zipfile import BadZipFile, ZipFile

import orjson

from streams.ingest.calls import BadLine, Call, stop_at
from triggers.base.moments import iso, parse_moment

EVENT: Final = "Order Completed"
START: Final = parse_moment("1996-12-31T00:00:00Z")
"""The moment of rule set and go-live in the log: before the first order."""
END: Final = parse_moment("1998-07-01T00:00:00Z")
"""The final tick, inclusive."""

Part = Literal["master", "sample"]
FILES: Final[dict[Part, str]] = {"master": "CDNOW_master.txt", "sample": "CDNOW_sample.txt"}
ORDERS: Final[dict[Part, int]] = {"master": 69_659, "sample": 6_919}

_REQUIREMENT: Final = "Lifetimes==0.11.3"
_SHA256: Final[dict[Part, str]] = {
    "master": "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
    "sample": "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
}


class NoData(Exception):  # noqa: N818 - its name says what is wrong
    """The orders are not available. The message says why and what to do."""


def calls(name: str, lines: Iterable[str], bad: Callable[[BadLine], None] = stop_at) -> list[Call]:
    """Return all orders of a CDNOW file in the order of time, and of the file within one moment. `bad` gets each line that is no order."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("customer_id"):
            try:
                found.append(_order(name, number, line))
            except BadLine as problem:
                bad(problem)
    return sorted(found, key=_moment)


def _moment(call: Call) -> int:
    assert call.at is not None
    return call.at


def _order(name: str, number: int, line: str) -> Call:
    """Parse `00001 19970101  1   11.77`. The sample has its own customer number in an additional second column."""
    fields = line.split()
    try:
        user, date, quantity, dollars = fields if len(fields) == 4 else (fields[0], *fields[2:])
        at = parse_moment(f"{date[:4]}-{date[4:6]}-{date[6:]}")
        properties = {"total": float(dollars), "quantity": int(quantity)}
    except ValueError as error:
        raise BadLine(name, number, f"not an order of CDNOW: {error}", "expected for example: 00001 19970101  1   11.77") from None
    document = {
        "type": "track",
        "messageId": f"{name}:{number}",
        "userId": user,
        "event": EVENT,
        "timestamp": iso(at),
        "properties": properties,
    }
    return Call(at, user.encode(), orjson.dumps(document), name, number)


# ---- where the files come from ---------------------------------------------------------------------------------------


def lines(part: Part, path: Path | None = None, cache: Path | None = None) -> list[str]:
    """Return the lines of the named file, or of the one in the wheel, which pip downloads into `cache` (`cache_folder()`). Raises
    `NoData`.
    """
    if path is not None:
        try:
            return path.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise NoData(f"{path}: {error}") from None
    try:
        with ZipFile(_wheel(cache or cache_folder())) as archive:
            data = archive.read(f"lifetimes/datasets/{FILES[part]}")
    except (OSError, BadZipFile, KeyError) as error:
        raise NoData(f"{_REQUIREMENT} cannot be read: {error}; name the file itself: --data {FILES[part]}") from None
    if sha256(data).hexdigest() != _SHA256[part]:
        raise NoData(f"{FILES[part]} in {_REQUIREMENT} is not the published file: its SHA-256 is {sha256(data).hexdigest()}")
    return data.decode("ascii").splitlines()


def cache_folder() -> Path:
    """Return the system's folder for downloaded files."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cueline"


def _wheel(cache: Path) -> Path:
    """Return the wheel in the cache; pip downloads it the first time, without its dependencies."""
    found = _cached(cache)
    if found is None:
        cache.mkdir(parents=True, exist_ok=True)
        words = [
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--disable-pip-version-check",
            "--dest",
            str(cache),
            _REQUIREMENT,
        ]
        run = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        found = _cached(cache)
        if run.returncode or found is None:
            reason = (run.stderr or run.stdout).strip().splitlines()[-1:] or ["pip said nothing"]
            raise NoData(
                f"pip cannot fetch {_REQUIREMENT} into {cache}: {reason[0]}; put the wheel there, or name the file itself with --data"
            )
    return found


def _cached(cache: Path) -> Path | None:
    return next(iter(sorted(cache.glob("[Ll]ifetimes-0.11.3-*.whl"))), None)
