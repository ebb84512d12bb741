"""The walk from a function to all that its result can depend on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from types import FunctionType, ModuleType
from typing import Any

from dualdag.errors import FingerprintError
from dualdag.hashing._atoms import text
from dualdag.hashing._components import Vertex, settle
from dualdag.hashing._encode import Encoder, RefusalError
from dualdag.hashing._guards import Guard, same
from dualdag.hashing._installed import is_told_by_name, origin_of_class, origin_of_globals, origin_of_module
from dualdag.hashing._reads import Place, Reader, local_digest

__all__ = ["Walk"]

# What reading a thing costs, in names looked at again; and how many may be looked at in vain for each thing.
_SAVED, _VAIN = 500, 30
_ADVICE = "pass it as an argument, build it inside the task, or give version="


class Walk(Reader):
    """Everything reached so far, each function, class and module once.

    One walk may serve many functions, as long as nothing that they read is bound anew.
    """

    __slots__ = ("_held", "_queue", "_vain", "_vertices", "busy")

    def __init__(self) -> None:
        # A value's digest may ask for a function's fingerprint: half a walk can't answer.
        self.busy = False
        self._clear()

    def _clear(self) -> None:
        self._vertices: dict[int, Vertex] = {}
        # Whatever has a vertex is kept, or its id would be given away again.
        self._held: list[Any] = []
        self._queue: deque[tuple[Vertex, Any, Callable[[Vertex, Any], None]]] = deque()
        self._strict = Encoder(None, self._reference, group=self._group)
        self._lenient = Encoder(None, self._reference, group=self._group, lenient=True)
        self._encoder = self._strict
        self._at: Place | None = None
        self._guard = Guard()
        self._odd = False
        self._vain = 0

    def count(self) -> int:
        """Return how many functions, classes and modules were reached."""
        return len(self._vertices)

    def stands(self) -> bool:
        """Tell whether all that was read is what it was; if not, the walk is of no use any more."""
        guard = self._guard
        if not guard.stands():
            return False
        self.busy = True
        self._guard = Guard()
        self._at = None
        try:
            return self._reads_the_same(guard) and not self._queue
        except (RefusalError, RecursionError):
            return False
        finally:
            self._guard = guard
            self.busy = False

    def _reads_the_same(self, guard: Guard) -> bool:
        for encoder in (self._strict, self._lenient):
            encoder.memo.clear()
        for (_, lenient), (value, encoded, refs) in guard.contents.items():
            self._encoder = self._lenient if lenient else self._strict
            now = Vertex("value", "")
            self._value(now, "", "", value, None, 0)
            if now.parts[0][2] != encoded or not same(now.refs, refs):
                return False
        for vertex, content, fill in guard.again:
            now = Vertex(vertex.kind, vertex.name, vertex.file, vertex.line)
            fill(now, content)
            if now.head != vertex.head or local_digest(now) != vertex.local or not same(now.refs, vertex.refs):
                return False
        return True

    def pays(self, made: int, vertex: Vertex) -> bool:
        """Tell whether asking if it `stands` costs less than what it saves, given what the last function made new."""
        saved = max(min(vertex.reach, len(self._vertices)) - made, 0)
        self._vain = max(self._vain + self._guard.size - _SAVED * saved, 0)
        return self._vain <= _VAIN * max(len(self._vertices), 1)

    def root(self, obj: Any) -> Vertex:
        """Return the settled vertex of a callable.

        Raises
        ------
        FingerprintError
            For what it reaches and has no content.
        """
        self._at = None
        self._encoder = self._strict
        self.busy = True
        try:
            # A class of an installed package as a task (`dag.task(str)`) is known by name, as elsewhere.
            by_name = isinstance(obj, type) and origin_of_class(obj) is not None
            vertex = (None if by_name else self._vertex(obj)) or self._callable(obj)
            while self._queue:
                one, content, fill = self._queue[0]
                fill(one, content)
                one.local = local_digest(one)
                self._queue.popleft()
        except RefusalError as refusal:
            raise FingerprintError(self._explain(refusal)) from refusal.__cause__
        except RecursionError:
            raise FingerprintError(f"{self._at}: sets in sets, nested too deep to be hashed; {_ADVICE}.") from None
        finally:
            self.busy = False
            if self._queue:
                self._clear()  # half a walk is no use to the next function
        settle(vertex)
        return vertex

    def reference(self, obj: Any) -> bytes | Vertex:
        """Return how a function, class or module is written: by name and version, or as a settled vertex."""
        self._encoder.refs, self._encoder.origins = [], {}
        written = self._reference(obj, self._encoder)
        return self.root(obj) if self._encoder.refs else written

    def _explain(self, refusal: RefusalError) -> str:
        steps: list[str] = []
        at = self._at
        while at is not None and at.name:
            steps.append(str(at) if steps else str(at).replace(f"{at.name!r}", f"{at.name!r}{refusal.trail}", 1))
            at = at.vertex.via  # type: ignore[assignment]
        subject = " <- ".join(steps) or f"the callable{refusal.trail}"
        return f"{subject}: {refusal.what}; {refusal.advice or _ADVICE}."

    # -- what is a vertex of its own

    def _vertex(self, obj: Any) -> Vertex | None:
        known = self._vertices.get(id(obj))
        if known is not None:
            return known
        if isinstance(obj, FunctionType):
            code = obj.__code__
            made = Vertex("function", obj.__qualname__, code.co_filename, code.co_firstlineno, self._at)
            fill: Callable[[Vertex, Any], None] = self._function
        elif isinstance(obj, type):
            made, fill = _class_vertex(obj, self._at), self._class
        elif isinstance(obj, ModuleType):
            made = Vertex("module", str(vars(obj).get("__name__")), vars(obj).get("__file__"), 1, self._at)
            fill = self._module
        else:
            return None
        self._vertices[id(obj)] = made
        self._held.append(obj)
        self._queue.append((made, obj, fill))
        return made

    def _callable(self, obj: Any) -> Vertex:
        """Return the vertex of a root that is neither function nor class: a partial, a method, an object."""
        kind = type(obj)
        made = Vertex("callable", getattr(obj, "__qualname__", kind.__qualname__))
        self._at = Place(made, "", "", None, 0)
        self._value(made, "callable", "", obj, None, 0)
        made.local = local_digest(made)
        return made

    def _reference(self, obj: Any, encoder: Encoder) -> bytes:
        """Write a function, class or module: what is installed by name and version, else as a reference."""
        if isinstance(obj, FunctionType):
            origin = origin_of_globals(obj.__globals__)
            if origin is not None and is_told_by_name(obj):
                encoder.origins[origin] = None
                return origin.head + text(str(obj.__globals__.get("__name__"))) + text(obj.__code__.co_qualname)
        elif isinstance(obj, type):
            origin = origin_of_class(obj)
            if origin is not None:
                encoder.origins[origin] = None
                return origin.head + text(obj.__module__) + text(obj.__qualname__)
        else:
            origin = origin_of_module(obj)
            if origin is not None:
                encoder.origins[origin] = None
                return origin.head + text("module") + text(str(vars(obj).get("__name__")))
        encoder.refs.append(self._vertex(obj))
        return b"&"

    def _group(self, head: bytes, refs: list[Any] | None, members: list[tuple[bytes, list[Any]]]) -> Vertex:
        """Return a vertex for a large value, or for a set whose members only digests can order."""
        made = Vertex("value", "", via=self._at)
        made.local = blake2b(b"value" + head, digest_size=20).digest()
        if refs is not None:
            made.refs = refs
            return made
        made.ordered = False
        for encoded, inner in members:
            member = Vertex("value", "", via=self._at)
            member.local = blake2b(b"member" + encoded, digest_size=20).digest()
            member.refs = inner
            made.refs.append(member)
        return made


def _class_vertex(cls: type, via: object) -> Vertex:
    import sys

    module = sys.modules.get(cls.__module__)
    line = vars(cls).get("__firstlineno__")
    return Vertex("class", cls.__qualname__, getattr(module, "__file__", None), line, via)
