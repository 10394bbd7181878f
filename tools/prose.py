"""Check the prose of the project against the word list of docs/style.md.

python tools/prose.py [PATH ...]

Prose is the text of documents and pictures, and the docstrings, comments and strings of code. Code spans, code blocks and strings of one
word are no prose. Without paths the check covers `held()` and `NAMED`. It prints `file:line: word; replacement` for each finding.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs" / "style.md"
SUFFIXES = {".py", ".md", ".svg", ".yaml", ".yml", ".toml"}

HELD: tuple[str, ...] = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "bench",
    "docker-compose.yml",
    "docs",
    "examples",
    "pyproject.toml",
    "streams",
    "tests",
    "tools",
    "triggers",
)
"""Files and folders whose prose is checked."""


NAMED: tuple[str, ...] = (
    "streams/broker",
    "streams/browse/event_counts.py",
    "streams/browse/event_names.py",
    "streams/browse/folding.py",
    "streams/browse/inspect.py",
    "streams/browse/replay.py",
    "streams/browse/trying.py",
    "streams/cli",
    "streams/client.py",
    "streams/commands/history.py",
    "streams/commands/log_history.py",
    "streams/commands/rebase.py",
    "streams/commands/rule_store.py",
    "streams/commands/send.py",
    "streams/commands/skipping.py",
    "streams/commands/snapshot.py",
    "streams/commands/taking_back.py",
    "streams/commands/terms.py",
    "streams/commands/topic_layout.py",
    "streams/commands/topics.py",
    "streams/commands/upgrade.py",
    "streams/commands/write.py",
    "streams/demo",
    "streams/ingest",
    "streams/kafka",
    "streams/settings.py",
    "streams/worker",
    "tools",
    "triggers",
)
"""Files and folders whose names are plain already. This list only grows."""

QUOTES_THE_WORDS = "tests/unit/house/test_prose.py"

Words = dict[str, str]
"""Each word to avoid, with its replacement; an allowed phrase has an empty one."""


def words(section: str) -> Words:
    """Read one table of the style page: the words in the first column, the replacement, and the allowed phrases."""
    text = STYLE.read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    found: Words = {}
    for row in re.findall(r"^\| (`.*)\|$", text, re.MULTILINE):
        avoid, instead, *allowed = row.split("|")
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", avoid), instead.strip())
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", "".join(allowed)), "")
    return found


def in_prose(avoid: Words) -> re.Pattern[str]:
    """Match any of the words as whole words. A phrase may continue on the next line."""
    longest_first = sorted(avoid, key=len, reverse=True)
    phrases = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in longest_first)
    return re.compile(rf"\b(?:{phrases})\b(?!-\w)")


def in_names(avoid: Words) -> re.Pattern[str]:
    """Match a word as one part of a name: `told`, `told_by`, `_told`, `BeenTold`, `MAX_TOLD`."""
    parts = [rf"(?<![A-Za-z]){word}(?![a-z])|{word.capitalize()}(?![a-z])|(?<![A-Z]){word.upper()}(?![A-Z])" for word in avoid]
    return re.compile("|".join(parts))


# ---- what is prose -----------------------------------------------------------------------------------------------------

STRING_OR_COMMENT = re.compile(
    r'''(?P<comment>\#[^\n]*)|[A-Za-z]*(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')''',
    re.DOTALL,
)
CODE_IN_TEXT = re.compile(r"``[^`]+``|`[^`]+`")
CODE_IN_PYTHON_TEXT = re.compile(r"``[^`]+``|`[^`]+`|\{[^{}]*\}")
CODE_IN_MARKDOWN = re.compile(
    r"^```.*?^```$|^(?: {4}|\t)[^\n]*$|<!-- \w+ table:.*?<!-- end of|<!--.*?-->|``[^`]+``|`[^`]+`|\]\([^)]*\)|<https?:[^>]*>",
    re.MULTILINE | re.DOTALL,
)
RECORD_TERMS = re.compile(r'"for ever"|"\(a rebase [a-z ]+\)"')
"""Terms that records contain are part of the interface."""
OLDER_RELEASES = re.compile(r"^## \[0\.1\.0\].*", re.MULTILINE | re.DOTALL)
TAG = re.compile(r"<style.*?</style>|<!--.*?-->|<[^>]*>", re.DOTALL)


def blank(text: str) -> str:
    """Replace everything but line ends by spaces, so that every place keeps its line."""
    return "\n".join(" " * len(line) for line in text.split("\n"))


def without(pattern: re.Pattern[str], text: str) -> str:
    """Blank what the pattern matches."""
    return pattern.sub(lambda match: blank(match[0]), text)


def of_python(text: str) -> tuple[str, str]:
    """Split a module into its prose and its code; both keep their places."""
    text = without(RECORD_TERMS, text)
    prose, code, end = [], [], 0
    for match in STRING_OR_COMMENT.finditer(text):
        start, stop = match.span()
        prose += [blank(text[end:start])]
        code += [text[end:start], blank(match[0])]
        is_prose = match["comment"] or re.search(r"\s", match["string"])
        text_of_it = match[0].replace("#", " ") if match["comment"] else match[0]
        prose += [without(CODE_IN_PYTHON_TEXT, text_of_it) if is_prose else blank(match[0])]
        end = stop
    return "".join(prose) + blank(text[end:]), "".join(code) + text[end:]


def split(path: Path) -> tuple[str, str]:
    """Return the prose and the code of a file."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return of_python(text)
    if path.suffix == ".md":
        return without(CODE_IN_MARKDOWN, without(OLDER_RELEASES, text)), ""
    if path.suffix == ".svg":
        return without(TAG, text), ""
    comments = re.sub(r"^[^#\n]*#*", lambda match: blank(match[0]), text, flags=re.MULTILINE)
    return without(CODE_IN_TEXT, comments), ""


# ---- the check ---------------------------------------------------------------------------------------------------------


def findings(text: str, pattern: re.Pattern[str], avoid: Words) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and replacement of each word to avoid."""
    for match in pattern.finditer(text):
        word = " ".join(match[0].split())
        if instead := avoid[word.lower()]:
            yield text.count("\n", 0, match.start()) + 1, word, instead


def files(paths: tuple[str, ...]) -> list[Path]:
    """List the files to check under these paths."""
    found: set[Path] = set()
    for path in (ROOT / name for name in paths):
        found |= {path} if path.is_file() else {file for file in path.rglob("*") if file.suffix in SUFFIXES}
    return sorted(found - {ROOT / QUOTES_THE_WORDS})


def held() -> list[Path]:
    """List the files whose prose must be plain."""
    return sorted(set(files(HELD)))


def check(prose_files: Iterable[Path], name_files: Iterable[Path]) -> list[str]:
    """Return a line for each word to avoid in the prose of some files and in the names of others."""
    prose_words, name_words = words("Words to avoid"), words("Names to avoid")
    prose_pattern, name_pattern = in_prose(prose_words), in_names(name_words)
    of_prose, of_names = set(prose_files), set(name_files)
    lines = []
    for path in sorted(of_prose | of_names):
        prose, code = split(path)
        found = list(findings(prose.lower(), prose_pattern, prose_words)) if path in of_prose else []
        found += findings(code, name_pattern, name_words) if path in of_names else []
        lines += [f"{path.relative_to(ROOT)}:{line}: {word}; write: {instead}" for line, word, instead in sorted(found)]
    return lines


def main(paths: list[str]) -> int:
    """Print the findings; return 1 if there are any."""
    chosen = files(tuple(str(Path(path).resolve()) for path in paths))
    lines = check(chosen, chosen) if paths else check(held(), files(NAMED))
    print("\n".join(lines) or "no words to avoid", flush=True)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
