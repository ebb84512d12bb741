"""Fingerprints of functions: by what they do and reach, not by where they are written."""

from __future__ import annotations

import linecache
import re
import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

from dualdag.hashing._bytecode import line_of
from dualdag.hashing._components import Vertex
from dualdag.hashing._keys import hash_key
from dualdag.hashing._reach import Walk
from dualdag.hashing._reads import place_of

__all__ = ["Fingerprint", "Reached", "fingerprint", "moved", "reference_digest", "shared_walk"]

_shared: ContextVar[Walk | None] = ContextVar("dualdag_walk", default=None)
_repr = reprlib.Repr()
_repr.maxdict = _repr.maxlist = _repr.maxtuple = _repr.maxset = _repr.maxfrozenset = 30
# The last walk, or none while someone walks on: most functions of a program reach the same helpers.
_kept: list[Walk] = []


@dataclass(frozen=True, slots=True)
class Reached:
    """One thing that a function's fingerprint is made of.

    Parameters
    ----------
    name : str
        Its name: of the function, class or distribution, or of the variable.
    kind : str
        ``"function"``, ``"class"``, ``"module"``, ``"distribution"``; ``"global"``, ``"closure"``,
        ``"default"``, ``"import"``, ``"attribute"`` for what one of those reads or holds.
    digest : bytes
        Of its own part, 20 bytes: not of what it reaches in turn.
    file : str or None
        Where it is written; for a variable, where it is read.
    line : int or None
        The line there.
    owner : str
        For a variable: what reads or holds it.
    detail : str
        The version of a distribution; a variable's value where it is a short one.
    via : str
        For a function, class or module: the one through which it is reached; empty for the task's own.
    """

    name: str
    kind: str
    digest: bytes
    file: str | None
    line: int | None
    owner: str = ""
    detail: str = ""
    via: str = ""

    def source(self) -> str | None:
        """Return the text of a function, class or module as its file has it now.

        Returns
        -------
        str or None
            None where there is no text to be had.
        """
        if self.kind not in ("function", "class", "module") or self.file is None:
            return None
        linecache.checkcache(self.file)
        lines = linecache.getlines(self.file)
        if not lines:
            return None
        if self.kind == "module":
            return "".join(lines)
        line = self.line if self.line is not None else _class_line(lines, self.name)
        if line is None or line > len(lines):
            return None
        import inspect

        return "".join(inspect.getblock(lines[line - 1 :]))

    def __str__(self) -> str:
        if self.kind in ("function", "class", "module"):
            return f"{self.kind} {self.name!r} ({place_of(self.file, self.line)})"
        if self.kind == "distribution":
            return f"distribution {self.name!r} ({self.detail})"
        where = f" ({place_of(self.file, self.line)})" if self.file is not None else ""
        return f"{self.kind} {self.name!r} in {self.owner}{where}"


class Fingerprint:
    """What a function does and reaches, as a digest and as the list of its parts.

    Parameters
    ----------
    digest : bytes
        20 bytes, the same for the same function in any process, folder or module.
    reached : tuple of Reached, or callable
        The parts, the function's own first, or what makes them when they are asked for.
    """

    __slots__ = ("_reached", "digest")

    digest: bytes
    _reached: tuple[Reached, ...] | Callable[[], tuple[Reached, ...]]

    def __init__(self, digest: bytes, reached: tuple[Reached, ...] | Callable[[], tuple[Reached, ...]] = ()) -> None:
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "_reached", reached)

    @property
    def reached(self) -> tuple[Reached, ...]:
        """The parts, in the order in which they are reached."""
        parts = self._reached
        if callable(parts):
            parts = parts()
            object.__setattr__(self, "_reached", parts)
        return parts

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Fingerprint is frozen")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Fingerprint) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Fingerprint {self.digest.hex()[:10]}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Fingerprint, (self.digest, self.reached)


def fingerprint(fn: Callable[..., Any], walk: Walk | None = None) -> Fingerprint:
    """Return the fingerprint of a function.

    It changes with the code, the defaults, the closed-over and global values, and with all
    functions and classes of the project that it reaches.  It does not change with comments,
    docstrings, formatting, annotations, or when a file is moved.  What is installed counts by name
    and version.  The class of an argument of a call, what ``eval`` runs, other processes, and
    files and environment read while running are not seen.

    Parameters
    ----------
    fn : callable
        A function, lambda, ``functools.partial``, builtin, method, class, object with
        ``__call__``, or a task.
    walk : Walk, optional
        What other functions reached already: for a block of time in which nothing that they read is
        bound anew.  None takes that of `shared_walk`, else begins from nothing.

    Returns
    -------
    Fingerprint
        Its `digest` and what it reaches.

    Raises
    ------
    FingerprintError
        For something reached that has no content; it names the variable, the line and the way there.

    Examples
    --------
    >>> one = fingerprint(lambda x: x + 1)
    >>> two = fingerprint(lambda y: y + 1)
    >>> one == two, one == fingerprint(lambda x: x + 1)
    (False, True)
    """
    plain = getattr(type(fn), "__dualdag_fn__", None) and fn.__dualdag_fn__  # type: ignore[attr-defined]
    vertex = _vertex(plain or fn, walk)
    assert vertex.digest is not None  # noqa: S101 - a root is settled
    return Fingerprint(_salted(vertex.digest), partial(_collect, vertex))


def _vertex(fn: Callable[..., Any], walk: Walk | None) -> Vertex:
    shared = _shared.get() if walk is None else walk
    if shared is not None:
        return (Walk() if shared.busy else shared).root(fn)
    try:
        last = _kept.pop()
    except IndexError:
        last = Walk()
    if not last.stands():
        last = Walk()
    before = last.count()
    vertex = last.root(fn)
    if last.pays(last.count() - before, vertex):
        _kept[:] = [last]
    return vertex


def reference_digest(obj: Any) -> bytes:
    """Return what stands for a function, class or module in the encoding of a value."""
    shared = _shared.get()
    vertex = (Walk() if shared is None or shared.busy else shared).reference(obj)
    return vertex if isinstance(vertex, bytes) else b"&" + _salted(vertex.digest or b"")


def _salted(digest: bytes) -> bytes:
    return hash_key(b"function", digest)


@contextmanager
def shared_walk() -> Iterator[None]:
    """Share, within the block, what functions reach in common.

    Nothing that they read may be bound anew within the block.
    """
    token = _shared.set(_shared.get() or Walk())
    try:
        yield
    finally:
        _shared.reset(token)


def _collect(root: Vertex) -> tuple[Reached, ...]:
    found: list[Reached] = []
    origins: dict[Any, None] = {}
    queue = [root]
    seen = {id(root)}
    ways: dict[int, str] = {}
    for vertex in queue:  # grows while it is read
        if vertex.kind in ("function", "class", "module"):
            own = blake2b(vertex.head, digest_size=20).digest()
            line = vertex.line
            if line is None and vertex.file is not None:
                line = _class_line(linecache.getlines(vertex.file), vertex.name)
            via = ways.get(id(vertex), "")
            found.append(Reached(vertex.name, vertex.kind, own, vertex.file, line, via=via))
        found.extend(_variable(vertex, part) for part in vertex.parts if part[2] != b"&")
        origins.update(vertex.origins)
        for other in vertex.refs:
            if id(other) not in seen:
                seen.add(id(other))
                ways[id(other)] = vertex.name or ways.get(id(vertex), "")
                queue.append(other)
    for origin in sorted(origins, key=lambda one: one.name):
        if origin.name:
            own = blake2b(origin.head, digest_size=20).digest()
            found.append(Reached(origin.name, "distribution", own, None, None, detail=origin.version))
    return tuple(found)


def _variable(vertex: Vertex, part: tuple[Any, ...]) -> Reached:
    kind, name, encoded, code, offset, value = part
    own = blake2b(encoded, digest_size=20).digest()
    file, line = vertex.file, vertex.line
    if code is not None:
        file, line = code.co_filename, line_of(code, offset)
    return Reached(name, kind, own, file, line, vertex.name, _shown(value))


def _shown(value: Any) -> str:
    """Return a plain value as text that is the same in every process; empty for any other."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        shown = repr(value)
        return shown if len(shown) <= 80 else shown[:77] + "..."
    if not _is_plain(value, 3):  # levels, of at most 30, 20 and 10 members
        return ""
    shown = _repr.repr(value)
    return shown if len(shown) <= 400 else shown[:397] + "..."


def _is_plain(value: Any, levels: int) -> bool:
    """Return whether a value is made of numbers, text and small containers of them."""
    if value is None or type(value) in (bool, int, float, str):
        return True
    if type(value) not in (list, tuple, dict, set, frozenset) or len(value) > 10 * levels:
        return False
    members = [*value, *(value.values() if type(value) is dict else ())]
    return all(_is_plain(one, levels - 1) for one in members)


def _class_line(lines: list[str], qualname: str) -> int | None:
    name = re.escape(qualname.rpartition(".")[2])
    statement = re.compile(rf"\s*class\s+{name}\b")
    return next((i for i, line in enumerate(lines, 1) if statement.match(line)), None)


def moved(old: Fingerprint, new: Fingerprint) -> str:
    """Return what differs between two fingerprints of a function, in words.

    Parameters
    ----------
    old, new : Fingerprint
        The two.

    Returns
    -------
    str
        Such as ``global 'RATE' in clean (flow.py:12)``; at most three things, then how many more.
    """
    if old.digest == new.digest:
        return "nothing"
    before, after = _by_name(old), _by_name(new)
    changed = [str(after[key][0]) for key in after if key in before and _digests(after[key]) != _digests(before[key])]
    changed += [f"{found[0]}, now reached" for key, found in after.items() if key not in before]
    changed += [f"{found[0]}, no longer reached" for key, found in before.items() if key not in after]
    if not changed:
        return f"what {new.reached[0].name if new.reached else 'it'} reaches"
    return ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")


def _by_name(of: Fingerprint) -> dict[tuple[str, str, str], list[Reached]]:
    found: dict[tuple[str, str, str], list[Reached]] = {}
    for one in of.reached:
        found.setdefault((one.kind, one.owner, one.name), []).append(one)
    return found


def _digests(found: list[Reached]) -> list[bytes]:
    return sorted(one.digest for one in found)
