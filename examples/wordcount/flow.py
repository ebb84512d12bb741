"""Word count as map, shuffle and reduce: one task per book, one per share of the words.

Run it with ``dualdag run examples/wordcount/flow.py``; set ``--param top=3`` for a shorter list.
"""

from __future__ import annotations

import re
from collections import Counter
from zlib import crc32

from corpus import books, database, text_of

import dualdag as dag

SHARES = 8


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without numbers and what surrounds them."""
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())


def share_of(word: str) -> int:
    """Return whose word it is; the same in every process, which ``hash`` is not."""
    return crc32(word.encode()) % SHARES


@dag.task(nout=SHARES)
def count(path: str, testament: int, book: int) -> list[dict[str, int]]:
    """Map: count the words of one book, and deal them out to the shares."""
    shares: list[dict[str, int]] = [{} for _ in range(SHARES)]
    for word, times in Counter(words_of(text_of(path, testament, book))).items():
        shares[share_of(word)][word] = times
    return shares


@dag.task
def add(counts: list[dict[str, int]]) -> dict[str, int]:
    """Reduce: add what all books have of one share of the words."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


@dag.task
def together(shares: list[dict[str, int]]) -> dict[str, int]:
    """Put the shares together, which have no word in common, in the order of the alphabet."""
    return dict(sorted((word, times) for share in shares for word, times in share.items()))


@dag.task
def most_frequent(total: dict[str, int], top: int) -> list[tuple[str, int]]:
    """Return the most frequent words, those of equal count in alphabetical order."""
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))[:top]


path = database()
counted = [count(dag.file(path), testament, book) for testament, book in books(path)]
shares = [add([one[share] for one in counted]) for share in range(SHARES)]
total = together(shares).artifact("book_words")
frequent = most_frequent(total, top=dag.param("top", 10)).artifact("frequent_book_words")
