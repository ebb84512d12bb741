"""How two versions of an artifact differ: their values, and what they were made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, StoreError
from dualdag.explaining._cause import Cause, cut, listed, wrapped
from dualdag.explaining._compare import compare, with_parameters
from dualdag.explaining._difference import Difference
from dualdag.explaining._making import read_making
from dualdag.explaining._values import diff_files, diff_values
from dualdag.report import bytes_text, when_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.explaining._making import Making
    from dualdag.store import Store, Version

__all__ = ["Diff", "diff_versions"]

_MOST_LINES = 60


@dataclass(frozen=True, slots=True)
class Diff:
    """How two versions of an artifact differ; ``print(diff)`` says it.

    Parameters
    ----------
    name : str
        Of the artifact.
    versions : tuple of int
        The two.
    made : tuple of datetime
        When they were made.
    equal : bool
        Whether the values are.
    value : Difference
        How the values differ.
    changes : tuple of Cause
        How what they were made of differs: code, arguments, inputs, packages.
    notes : tuple of str
        What can't be told.
    """

    name: str
    versions: tuple[int, int]
    made: tuple[datetime, datetime]
    equal: bool
    value: Difference
    changes: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return {
            "name": self.name, "versions": list(self.versions), "made": [when.isoformat() for when in self.made],
            "equal": self.equal, "value": self.value.to_dict(), "changes": [one.to_dict() for one in self.changes],
            "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        one, two = self.versions
        whens = [when_text(when) for when in self.made]
        lines = [f"{self.name}: version {one} ({whens[0]}) and version {two} ({whens[1]})", ""]
        if self.equal:
            lines.append("the values are equal")
        else:
            lines += [f"the values differ ({self.value.kind})"]
            lines += [cut(f"  {row}") for row in self.value.lines[:_MOST_LINES]]
            if self.value.equal:
                lines.append("  in nothing that is compared here: only their digests tell them apart")
            if len(self.value.lines) > _MOST_LINES:
                lines.append(f"  ... {len(self.value.lines) - _MOST_LINES} lines more; --json has them all")
        lines += ["", "what they were made of" + (":" if self.changes else " is the same, as far as it was noted")]
        lines += listed(self.changes, (f"v{one}", f"v{two}"))
        for note in self.notes:
            lines += ["", *wrapped(note, "", "")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def diff_versions(store: Store, one: Version, two: Version, key: Sequence[str] = ()) -> Diff:
    """Return how two versions differ.

    Parameters
    ----------
    store : Store
        Has them.
    one, two : Version
        The older one and the newer one.
    key : sequence of str
        Of frames: the columns that tell which row is which.
    """
    was, now = read_making(store, one), read_making(store, two)
    changes = with_parameters(was, now, compare(was, now, (f"version {one.number}", f"version {two.number}")))
    changes += _surroundings(was, now)
    notes = [
        f"Of version {version.number} not all can be told: {made.problem or 'an older dualdag noted no files'}."
        for version, made in ((one, was), (two, now))
        if made.problem or not made.full
    ]
    equal = one.digest == two.digest
    value = Difference("digest", equal=True) if equal else _values(store, one, two, key, notes)
    made = tuple(datetime.fromtimestamp(version.created, UTC) for version in (one, two))
    return Diff(one.name, (one.number, two.number), (made[0], made[1]), equal, value, tuple(changes), tuple(notes))


def _values(store: Store, one: Version, two: Version, key: Sequence[str], notes: list[str]) -> Difference:
    try:
        if one.codec == two.codec == "file":
            return diff_files(store.load(one.checksum, "file"), store.load(two.checksum, "file"))
        return diff_values(store.load(one.checksum, one.codec), store.load(two.checksum, two.codec), key)
    except (CodecError, StoreError) as error:
        notes.append(f"Their values can't be compared but by digest: {error}")
    texts = [f"{bytes_text(version.nbytes)}, digest {version.digest.hex()[:12]}" for version in (one, two)]
    found = {"digests": [version.digest.hex() for version in (one, two)], "nbytes": [one.nbytes, two.nbytes]}
    return Difference("digest", equal=False, lines=(texts[0], f"-> {texts[1]}"), found=found)


def _surroundings(was: Making, now: Making) -> list[Cause]:
    """Return what else differs of what is noted, though no key depends on it."""
    found = []
    if was.commit != now.commit or was.dirty != now.dirty:
        found.append(Cause("commit", "another commit was checked out", was=_commit(was), now=_commit(now)))
    for name, text in now.machine.items():
        if name not in _KEYED and was.machine.get(name) not in (None, text):
            found.append(Cause("machine", f"another {_NAMES.get(name, name)}", was=was.machine[name], now=text))
    return found


def _commit(made: Making) -> str:
    if not made.commit:
        return "none"
    return made.commit[:12] + (", with changes" if made.dirty else "")


#: What keys depend on is told of with what else moves them.
_KEYED = frozenset({"schema"})
_NAMES = {"python": "Python", "platform": "platform", "dualdag": "dualdag"}
