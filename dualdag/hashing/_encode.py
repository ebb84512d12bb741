"""Canonical encoding: equal bytes only for equal values of equal type, the same in every process.

The walk keeps its own stack, so that depth costs memory and never a RecursionError.  A container is
written as its tag, its count and its items; a container that holds itself as the number of levels
up; what can't be told apart by its content is refused, with the way to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from itertools import chain, pairwise
from typing import Any

from dualdag.errors import FingerprintError
from dualdag.hashing._atoms import ATOMS

__all__ = ["CONTAINERS", "Encoder", "Handler", "Made", "RefusalError", "encode"]

#: What a handler returns: all bytes, or a head and the items that follow it.
Made = bytes | tuple[bytes, Iterable[Any]]
Handler = Callable[[Any, "Encoder"], Made]

NODE = b"@"
_FAR = 1 << 60
# A value of more pieces is held as its hash where it stands inside another.
_LARGE = 64
# Things that hold each other crosswise have as many ways through them as there are paths in a graph.
_RETURNS = 100_000


class RefusalError(Exception):
    """A value without a content; the one who asked says where it stands and what to do.

    Parameters
    ----------
    what : str
        A sentence about the value.
    advice : str
        The way out, if there is a special one.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.trail = ""


class Encoder:
    """One encoding under way.

    Parameters
    ----------
    nodes : list or None
        Takes the nodes met, in order; None refuses them.
    reference : callable
        Writes a function, class or module; what it can't write yet it appends to the encoder's `refs`.
    lenient : bool
        Whether what has no content is written as its type instead of being refused.
    group : callable or None
        Makes one reference of several: of bytes with references in them, or (with None for these) of the
        members of a set, whose order hangs on what they refer to.
    """

    __slots__ = (
        "depth", "group", "lenient", "low", "memo", "nodes", "origins", "out", "path", "reference", "refs",
        "returns", "shallow", "weight",
    )  # fmt: skip

    def __init__(
        self,
        nodes: list[Any] | None,
        reference: Callable[[Any, Encoder], bytes],
        *,
        lenient: bool = False,
        group: Callable[[bytes, list[Any] | None, list[tuple[bytes, list[Any]]]], Any] | None = None,
    ) -> None:
        self.nodes = nodes
        self.reference = reference
        self.lenient = lenient
        self.group = group
        self.out: list[bytes] = []
        self.refs: list[Any] = []
        # Where the installed things that were met come from.
        self.origins: dict[Any, None] = {}
        # How many objects are being looked into leniently.
        self.shallow = 0
        # What is being written, outermost first, and how deep each stands.
        self.path: list[Any] = []
        self.depth: dict[int, int] = {}
        # The outermost level that what is being written refers back to, and how often that was done.
        self.low = _FAR
        self.returns = 0
        # What is not seen of the work from the number of pieces.
        self.weight = 0
        # Large values that were written, with what stands for them.
        self.memo: dict[int, tuple[Any, bytes, Any]] = {}

    def write(self, obj: Any) -> None:
        """Append the encoding of `obj` to `out`."""
        out, path, depth, atom_of = self.out, self.path, self.depth, ATOMS.get
        floor = len(path)
        frames: list[tuple[Iterator[Any], int, int, int, int]] = []
        items: Iterator[Any] = iter((obj,))
        try:
            while True:
                for item in items:
                    atom = atom_of(type(item))
                    if atom is not None:
                        out.append(atom(item))
                        continue
                    made = self._made(item)
                    if made.__class__ is bytes:
                        out.append(made)
                        continue
                    head, inner = made
                    nodes = len(self.nodes) if self.nodes is not None else 0
                    frames.append((items, len(out), nodes, len(self.refs), self.low))
                    out.append(head)  # type: ignore[arg-type]
                    path.append(item)
                    depth[id(item)] = len(path)
                    self.low = _FAR
                    items = iter(inner)  # type: ignore[arg-type]
                    break
                else:
                    if not frames:
                        return
                    items, start, nodes, refs, low = frames.pop()
                    done = path.pop()
                    del depth[id(done)]
                    # What may be met again has to be written there as here.
                    inside = frames or path or self.group is not None
                    if inside and len(out) - start > _LARGE and self.low > len(path):
                        self._fold(done, start, nodes, refs)
                    self.low = min(self.low, low)
        except RefusalError as refusal:
            if not refusal.trail:
                refusal.trail = _trail([*path, item])
            while len(path) > floor:
                del depth[id(path.pop())]
            raise

    def _made(self, item: Any) -> Made:
        at = self.depth.get(id(item))
        if at is not None:
            return self._back(at)
        known = self.memo.get(id(item))
        if known is not None:
            if known[2] is not None:
                self.refs.append(known[2])
            return known[1]
        handler = CONTAINERS.get(type(item))
        if handler is None:
            from dualdag.hashing._kinds import find_handler

            handler = find_handler(type(item))
        return handler(item, self)

    def _back(self, at: int) -> bytes:
        self.low = min(self.low, at)
        self.returns += 1
        if self.returns > _RETURNS:
            raise RefusalError("its parts hold each other in too many ways to be followed")
        return b"^%d;" % (len(self.path) - at)

    def _fold(self, done: Any, start: int, nodes: int, refs: int) -> None:
        """Write a large value that refers to nothing around it as a hash: it may stand in many places."""
        if self.nodes is not None and len(self.nodes) > nodes:
            return
        data = b"".join(self.out[start:])
        self.weight += len(self.out) - start
        group = None
        piece = b"#" + blake2b(data, digest_size=20).digest()
        if len(self.refs) > refs:
            if self.group is None:
                return
            group = self.group(data, self.refs[refs:], [])
            self.refs[refs:] = [group]
            piece = b"&"
        self.out[start:] = [piece]
        if not self.shallow:
            self.memo[id(done)] = done, piece, group

    def part(self, obj: Any) -> tuple[bytes, list[Any], list[Any]]:
        """Return the encoding of `obj` by itself, with the nodes and references in it."""
        held = self.out, self.nodes, self.refs
        self.out, self.refs = [], []
        if self.nodes is not None:
            self.nodes = []
        try:
            self.write(obj)
            return b"".join(self.out), self.nodes or [], self.refs
        finally:
            self.out, self.nodes, self.refs = held

    def members(self, tag: bytes, obj: Iterable[Any]) -> bytes:
        """Return the encoding of a set: its members sorted by what they encode to."""
        parts: list[tuple[bytes, list[Any], list[Any]]] = []
        self.path.append(obj)
        self.depth[id(obj)] = len(self.path)
        try:
            for member in obj:
                atom = ATOMS.get(type(member))
                parts.append((atom(member), [], []) if atom is not None else self.part(member))
        finally:
            del self.depth[id(self.path.pop())]
        head = b"%b%d:" % (tag, len(parts))
        if any(refs for _, _, refs in parts) and self.group is not None:
            # The order of members that refer to code is known only when all code has its digest.
            self.refs.append(self.group(head, None, [(encoded, refs) for encoded, _, refs in parts]))
            return b"&"
        parts.sort(key=_member_order)
        if self.nodes is not None:
            for _, nodes, _ in parts:
                self.nodes.extend(nodes)
        return head + b"".join([encoded for encoded, _, _ in parts])


def _member_order(part: tuple[bytes, list[Any], list[Any]]) -> tuple[bytes, list[bytes]]:
    return part[0], [node._key for node in part[1]]


def _trail(path: list[Any]) -> str:
    """Return how to get from the outermost value to the innermost, as in ``[0]['x'].conn``."""
    return "".join(_step(outer, inner) for outer, inner in pairwise(path))


def _step(outer: Any, inner: Any) -> str:
    if isinstance(outer, (list, tuple)):
        return next((f"[{i}]" for i, item in enumerate(outer) if item is inner), "")
    if isinstance(outer, dict):
        return next((f"[{key!r}]" for key, item in outer.items() if item is inner), "")
    names = getattr(outer, "__dict__", None)
    if isinstance(names, dict):
        found = next((f".{name}" for name, item in names.items() if item is inner), None)
        if found is not None:
            return found
    slots = getattr(type(outer), "__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if getattr(outer, name, None) is inner:
            return f".{name}"
    return ""


def _list(obj: list[Any], _: Encoder) -> Made:
    return b"[%d:" % list.__len__(obj), list.__iter__(obj)


def _tuple(obj: tuple[Any, ...], _: Encoder) -> Made:
    return b"(%d:" % tuple.__len__(obj), tuple.__iter__(obj)


def _dict(obj: dict[Any, Any], _: Encoder) -> Made:
    # In order: the columns of a frame made from a dict follow it.
    items = list(dict.items(obj))
    return b"{%d:" % len(items), chain.from_iterable(items)


def _set(obj: set[Any], encoder: Encoder) -> Made:
    return encoder.members(b"<", obj)


def _frozenset(obj: frozenset[Any], encoder: Encoder) -> Made:
    return encoder.members(b">", obj)


#: Handlers by exact type; more are found, by `_kinds`, when they are needed.
CONTAINERS: dict[type, Handler] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}


def write_node(obj: Any, encoder: Encoder) -> Made:
    """Write what stands for a node as a placeholder; its key enters the key by another way."""
    if encoder.nodes is None:
        if encoder.lenient:
            return b"?" + NODE
        raise RefusalError(f"{obj!r} is the result of another task", "pass it to the task as an argument")
    encoder.nodes.append(obj.__dualdag_node__())
    return NODE


def _reference(obj: Any, _: Encoder) -> bytes:
    from dualdag.hashing._fingerprint import reference_digest

    return reference_digest(obj)


def encode(obj: Any, nodes: list[Any] | None = None) -> bytes:
    """Return the canonical encoding of a value.

    Equal bytes mean equal type and equal value.  ``1``, ``True`` and ``1.0`` differ, so do a list
    and a tuple; a dict keeps its order, a set has none; there is one NaN.  Functions and classes
    count by their code, frames and arrays by the digest of their content.

    Parameters
    ----------
    obj : object
        Any value made of plain data, dataclasses, frames, arrays, functions, classes.
    nodes : list or None
        Takes, in order, the nodes that stand in `obj`, each written as a placeholder.  None refuses them.

    Returns
    -------
    bytes
        The same in every process, whatever its hash seed.

    Raises
    ------
    FingerprintError
        For what has no content that can be told, such as a socket or a generator.

    Examples
    --------
    >>> encode({"b", "a"}) == encode({"a", "b"})
    True
    >>> encode([1]) == encode((1,)) or encode([1]) == encode([True])
    False
    """
    kind = type(obj)
    atom = ATOMS.get(kind)
    if atom is not None:
        return atom(obj)
    if kind is tuple:
        made = _encode_arguments(obj, nodes)
        if made is not None:
            return made
    encoder = Encoder(nodes, _reference)
    before = len(nodes) if nodes is not None else 0
    try:
        encoder.write(obj)
    except (RefusalError, FingerprintError, RecursionError) as error:
        if nodes is not None:
            del nodes[before:]
        if isinstance(error, FingerprintError):
            raise
        raise FingerprintError(_explain(obj, error)) from error.__cause__
    return b"".join(encoder.out)


def _explain(obj: Any, error: RefusalError | RecursionError) -> str:
    kind = type(obj).__qualname__
    if isinstance(error, RecursionError):
        return f"a {kind} of sets in sets is nested too deep to be hashed."
    advice = error.advice or "build it inside the task, or teach it to dualdag with dag.register(cls, digest=...)"
    where = f" (it stands at {error.trail} of a {kind})" if error.trail else ""
    return f"{error.what}{where}; {advice}."


def _encode_arguments(obj: tuple[Any, ...], nodes: list[Any] | None) -> bytes | None:
    # A million calls come this way: literals and nodes, and nothing else.
    out = [b"(%d:" % len(obj)]
    found = []
    for item in obj:
        kind = type(item)
        atom = ATOMS.get(kind)
        if atom is not None:
            out.append(atom(item))
        elif nodes is not None and CONTAINERS.get(kind) is write_node:
            found.append(item.__dualdag_node__())
            out.append(NODE)
        else:
            return None
    if found and nodes is not None:
        nodes.extend(found)
    return b"".join(out)
