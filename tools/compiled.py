"""Build the compiled engine: as a wheel for deployment, and as a folder for benchmarks and tests.

    python tools/compiled.py          builds the folder if it does not exist, and prints its path
    python tools/compiled.py wheel    builds the wheel into dist/

The folder holds only the package `triggers`, with its sources and the machine code that mypyc made of them (pyproject.toml, `hooks.mypyc`).
Put it before the checkout in PYTHONPATH to run it. A build takes a minute; the name of the folder is a hash of its sources. Both are built
from a copy, because the hook leaves its machine code next to the sources. In the checkout, that code would continue to run after the
sources have changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cueline"
INGREDIENTS = ("pyproject.toml", "README.md", "LICENSE", "triggers", "streams", "examples", "tests/reference")
"""The files from which the wheel is built."""


class CannotCompile(Exception):  # noqa: N818 - it says what is the matter
    """There is no compiler here, or it has failed. The message says which."""


def compiled() -> Path:
    """Return the folder; build it if it does not exist. Raises `CannotCompile`."""
    folder = PLACE / f"compiled-{_fingerprint()}"
    if not folder.is_dir():
        _build(folder)
    return folder


def wheel(to: Path) -> Path:
    """Build the wheel with the compiled engine into a folder. Raises `CannotCompile`."""
    lacking = missing()
    if lacking:
        raise CannotCompile(lacking)
    with tempfile.TemporaryDirectory(prefix="cueline-compile-") as name:
        source, wheels = Path(name) / "source", Path(name) / "wheels"
        for ingredient in INGREDIENTS:
            where, copy = ROOT / ingredient, source / ingredient
            copy.parent.mkdir(parents=True, exist_ok=True)
            if where.is_dir():
                shutil.copytree(where, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                shutil.copy(where, copy)
        words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", ".", "-w", str(wheels)]
        environment = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_MYPYC": "1"}
        done = subprocess.run(words, cwd=source, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotCompile(f"mypyc has failed:\n{(done.stdout + done.stderr)[-4_000:]}")
        built = next(wheels.glob("*.whl"))
        to.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(built, to / built.name))


def missing() -> str | None:
    """Return what prevents the compilation here; None if nothing does."""
    if os.name == "nt":
        return "compiling was never tried on Windows"
    if not any(shutil.which(name) for name in (os.environ.get("CC", "cc").split()[0], "gcc", "clang")):
        return "no C compiler (on Debian and Ubuntu: apt install gcc python3-dev)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "no Python.h (on Debian and Ubuntu: apt install python3-dev)"
    return None


def _fingerprint() -> str:
    found = hashlib.sha256(sys.version.encode())
    for path in [ROOT / "pyproject.toml", *sorted((ROOT / "triggers").rglob("*.py"))]:
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cueline-compile-") as name:
        unpacked = Path(name) / "unpacked"
        with zipfile.ZipFile(wheel(Path(name))) as built:
            built.extractall(unpacked, [one for one in built.namelist() if one.startswith("triggers/") or "__mypyc" in one.split("/")[0]])
        PLACE.mkdir(exist_ok=True)
        for old in PLACE.glob("compiled-*"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.move(unpacked, folder)


if __name__ == "__main__":
    try:
        print(wheel(ROOT / "dist") if sys.argv[1:] == ["wheel"] else compiled())
    except CannotCompile as problem:
        sys.exit(f"the engine cannot be compiled here: {problem}")
