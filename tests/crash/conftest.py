"""Fixtures of the crash tests."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# The workers' own noise about a broker that is away belongs into their logs; ours would hide the verdict.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

passed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[passed] = call.excinfo is None
    return report


@pytest.fixture
def crash_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for logs. It stays after a failure, and is deleted when the test has passed."""
    folder = Path(tempfile.mkdtemp(prefix="cueline-crash-"))
    yield folder
    if request.node.stash.get(passed, False):
        shutil.rmtree(folder, ignore_errors=True)
