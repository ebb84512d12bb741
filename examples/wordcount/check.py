"""Compare what the flow kept with one ``collections.Counter``: ``python examples/wordcount/check.py``."""

from __future__ import annotations

import re
from collections import Counter

from corpus import books, database, text_of

import dualdag as dag

everything = "\n".join(text_of(database(), testament, book) for testament, book in books(database()))
expected = Counter(re.findall(r"[a-z]+(?:'[a-z]+)?", everything.lower()))
if dag.load("book_words") != expected:
    raise SystemExit("the reducers and the counter disagree")
print(f"equal: {len(expected)} words, {expected.total()} in all")
