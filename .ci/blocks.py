"""Run the fenced blocks of a Markdown page, in order, in an empty folder.

``python .ci/blocks.py docs/index.md`` exits with 1 and names the block's line where one fails.

- ``python``: executed, all in one namespace; one that holds ``>>>`` is compared with what it shows.
- ``python`` or another language with ``title="name"``: written to that file.
- ``sh``: executed by bash, stopped at the first command that fails.
- ``python needs=NAME``: the same, where that package is installed;
- ``sh no-run`` and every other language: only read.

``python .ci/blocks.py --setup N`` prints line N of the README's first ``sh`` block instead.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^```(\S*)[ \t]*(.*)$")
_NEEDS = re.compile(r"needs=(\w+)")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the rest of the opening line, its text, and the line it starts on."""

    language: str
    info: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page's text."""
    found: list[Block] = []
    opened: tuple[str, str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, inside = (fence[1], fence[2], number + 1), []
        elif opened is not None and line.rstrip() == "```":
            found.append(Block(opened[0], opened[1], "\n".join(inside) + "\n", opened[2]))
            opened = None
        elif opened is not None:
            inside.append(line)
    if opened is not None:
        message = f"line {opened[2] - 1}: a block is never closed"
        raise ValueError(message)
    return found


def setup_lines() -> list[str]:
    """Return the lines of the README's first ``sh`` block."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    return next(b for b in blocks(page) if b.language == "sh").text.splitlines()


def run_page(path: Path) -> None:
    """Run the blocks of one page in the working folder."""
    space: dict[str, Any] = {"__name__": "__main__"}
    found = blocks(path.read_text(encoding="utf-8"))
    if path.name == "README.md" and path.parent == ROOT:
        # The two lines that set up are what .ci/run itself is made of.
        setup = next(b for b in found if b.language == "sh")
        found.remove(setup)
    for block in found:
        title = _TITLE.search(block.info)
        if title:
            Path(title[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(title[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "sh" and "no-run" not in block.info:
            _shell(block, path)
        elif block.language == "python" and _has(block):
            _python(block, path, space)


def _has(block: Block) -> bool:
    needs = _NEEDS.search(block.info)
    return needs is None or importlib.util.find_spec(needs[1]) is not None


def _shell(block: Block, path: Path) -> None:
    # The command is that of the Python that runs this, installed or not.
    command = 'dualdag() { "$0" -m dualdag "$@"; }\n' + block.text
    done = subprocess.run(["bash", "-euc", command, sys.executable], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{path}:{block.line}: exit status {done.returncode} of this sh block")


def _python(block: Block, path: Path, space: dict[str, Any]) -> None:
    if ">>> " in block.text:
        case = doctest.DocTestParser().get_doctest(block.text, space, path.name, str(path), block.line - 1)
        # Not a copy: functions of earlier blocks must see what this one rebinds.
        case.globs = space
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        runner = doctest.DocTestRunner(optionflags=flags)
        if runner.run(case, clear_globs=False).failed:
            raise SystemExit(f"{path}:{block.line}: this block shows something else")
    else:
        # The empty lines before it make a traceback name the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
        exec(code, space)


def main() -> None:
    """Run one page, or print a line of the README."""
    if sys.argv[1] == "--setup":
        print(setup_lines()[int(sys.argv[2]) - 1])
        return
    path = Path(sys.argv[1]).resolve()
    for name in [n for n in os.environ if n.startswith("DUALDAG_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        try:
            run_page(path)
        finally:
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
