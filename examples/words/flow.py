"""Count the words of a few short texts: tasks, files and two artifacts, nothing else.

Run it with ``dualdag run examples/words/flow.py``; set ``--param top=3`` for a shorter list.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dualdag as dag

STOPPED = frozenset({"a", "and", "has", "in", "is", "on", "the", "then", "to"})


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without what surrounds them."""
    words = (word.strip(".,;:!?").lower() for word in text.split())
    return [word for word in words if word and word not in STOPPED]


@dag.task(persist=True)  # by default, what is as cheap as this is not kept
def count(path: str) -> dict[str, int]:
    """Count the words of one text."""
    return dict(Counter(words_of(Path(path).read_text(encoding="utf-8"))))


@dag.task
def add(counts: list[dict[str, int]]) -> dict[str, int]:
    """Add the counts of all texts."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


@dag.task
def most_frequent(total: dict[str, int], top: int) -> list[tuple[str, int]]:
    """Return the most frequent words, those of equal count in alphabetical order."""
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))[:top]


here = Path(__file__).resolve().parent
counts = [count(dag.file(path)) for path in sorted((here / "texts").glob("*.txt"))]
total = add(counts).artifact("word_counts")
frequent = most_frequent(total, top=dag.param("top", 10)).artifact("frequent_words")
