"""Chains, by topic: each is tried with pandas and with its lazy stand-in.

They stand in ``data/``, one a line; those of ``changes`` have several lines each, with an empty one
between, and leave their result in ``r``.  One marked ``!`` asks for something plain on its way, which
computes; no other chain runs anything.
"""

from __future__ import annotations

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def _read() -> list[tuple[str, str]]:
    found = []
    for path in sorted(_DATA.glob("*.txt")):
        text = path.read_text(encoding="utf-8").strip("\n")
        between = "\n\n" if path.stem == "changes" else "\n"
        found += [(path.stem, one) for one in text.split(between)]
    return found


_MARKED = _read()
#: Topic and source of every chain.
CHAINS = [(topic, source.removeprefix("! ")) for topic, source in _MARKED]
#: Chains that compute while they are built.
EAGER = frozenset(source[2:] for _, source in _MARKED if source.startswith("! "))
