"""A minute of fuzzing, always from the same seed: what was found once by hand stays found."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="limits memory by POSIX means")
def test_no_foreign_input_crashes_hangs_or_eats_memory() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "1", "--seed", "1", "--no-table"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-8_000:] + run.stderr[-8_000:]
    assert "failures: 0" in run.stdout
