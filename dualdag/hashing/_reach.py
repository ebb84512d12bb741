"""The walk from a function to all that its result can depend on."""

from __future__ import annotations

import builtins
import os
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from dualdag.errors import FingerprintError
from dualdag.hashing._atoms import ATOMS, text
from dualdag.hashing._bytecode import Scan, Variable, line_of, scan
from dualdag.hashing._classes import class_rows, is_lenient
from dualdag.hashing._components import Vertex, settle
from dualdag.hashing._encode import Encoder, RefusalError
from dualdag.hashing._installed import Origin, origin_of_class, origin_of_globals, origin_of_module
from dualdag.hashing._modules import MODULE_NAMES, import_origin, imported, module_content

__all__ = ["Place", "Walk"]

_MISSING = object()
_STANDARD = frozenset(vars(builtins))
# Longer encodings are held as their hash.
_LONG = 64
_ADVICE = "pass it as an argument, build it inside the task, or give version="


class Place(NamedTuple):
    """Where a variable stands: what reads it, and by which instruction."""

    vertex: Vertex
    kind: str
    name: str
    code: CodeType | None
    offset: int

    def __str__(self) -> str:
        owner = self.vertex
        inside = f"in {owner.name} ({place_of(owner.file, owner.line)})" if owner.file else f"in {owner.name}"
        subject = f"{self.name!r}" if self.kind != "default" else f"the default of {self.name!r}"
        if self.code is None:
            return f"{subject} {inside}"
        return f"{subject} at {place_of(self.code.co_filename, line_of(self.code, self.offset))} {inside}"


def place_of(file: str | None, line: int | None) -> str:
    """Return file and line as text, the file from the working folder where it lies below it."""
    shown = file or "?"
    folder = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    shown = shown.removeprefix(folder)
    return f"{shown}:{line}" if line is not None else shown


class Walk:
    """Everything reached so far, each function, class and module once.

    One walk may serve many functions, as long as nothing that they read is bound anew.
    """

    __slots__ = ("_at", "_encoder", "_held", "_lenient", "_queue", "_strict", "_vertices")

    def __init__(self) -> None:
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

    def root(self, obj: Any) -> Vertex:
        """Return the settled vertex of a callable.

        Raises
        ------
        FingerprintError
            For what it reaches and has no content.
        """
        self._at = None
        self._encoder = self._strict
        try:
            # A class of an installed package as a task (`dag.task(str)`) is known by name, as elsewhere.
            by_name = isinstance(obj, type) and origin_of_class(obj) is not None
            vertex = (None if by_name else self._vertex(obj)) or self._callable(obj)
            while self._queue:
                one, content, fill = self._queue[0]
                fill(one, content)
                one.local = _local(one)
                self._queue.popleft()
        except RefusalError as refusal:
            raise FingerprintError(self._explain(refusal)) from refusal.__cause__
        except RecursionError:
            raise FingerprintError(f"{self._at}: sets in sets, nested too deep to be hashed; {_ADVICE}.") from None
        finally:
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
        made.local = _local(made)
        return made

    def _reference(self, obj: Any, encoder: Encoder) -> bytes:
        """Write a function, class or module: what is installed by name and version, else as a reference."""
        if isinstance(obj, FunctionType):
            origin = origin_of_globals(obj.__globals__)
            if origin is not None and _is_told_by_name(obj):
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

    # -- what is written of each

    def _value(self, vertex: Vertex, kind: str, name: str, value: Any, code: CodeType | None, offset: int) -> None:
        atom = ATOMS.get(type(value))
        if atom is not None:
            encoded = atom(value)
            if len(encoded) > _LONG:
                encoded = _shortened(encoded)
            vertex.parts.append((kind, name, encoded, code, offset, value))
            return
        self._at = Place(vertex, kind, name, code, offset)
        encoder = self._encoder
        encoder.refs = vertex.refs
        encoder.origins = vertex.origins
        encoder.returns = 0
        if type(value) is FunctionType:
            encoded = self._reference(value, encoder)
        else:
            out: list[bytes] = []
            encoder.out = out
            encoder.write(value)
            encoded = b"".join(out)
        if len(encoded) > _LONG:
            encoded = _shortened(encoded)
        vertex.parts.append((kind, name, encoded, code, offset, _MISSING))

    def _function(self, vertex: Vertex, fn: FunctionType) -> None:
        found = scan(fn.__code__)
        names = fn.__globals__
        origin = origin_of_globals(names)
        if origin is not None:
            self._installed_function(vertex, fn, found, origin)
            return
        self._encoder = self._strict
        vertex.head = found.digest + text(fn.__name__)
        if found.imports:
            self._imports(vertex, found, names)
        if fn.__defaults__ or fn.__kwdefaults__:
            self._defaults(vertex, fn)
        # Another mapping than the module's, where code was exec'd with its own.
        plain: Any = fn
        standard: Mapping[str, Any] = plain.__builtins__
        for variable in found.names:
            name = variable.name
            if name in MODULE_NAMES or name in found.writes:
                continue
            value = names.get(name, _MISSING)
            if value is _MISSING:
                value = standard.get(name, _MISSING)
                if value is _MISSING or name in _STANDARD:
                    vertex.parts.append(("global", name, b"+" if name in _STANDARD else b"-", None, 0, _MISSING))
                    continue
            self._variable(vertex, "global", variable, value, found)
        if fn.__closure__ is not None:
            self._cells(vertex, fn, found)
        if _sees_own_module(found, names):
            self._own_module(vertex, names)

    def _installed_function(self, vertex: Vertex, fn: FunctionType, found: Scan, origin: Origin) -> None:
        """Write a function that an installed package made here: around one of the project, as decorators do."""
        vertex.origins[origin] = None
        vertex.head = origin.head + text(str(fn.__globals__.get("__name__"))) + text(fn.__code__.co_qualname)
        if fn.__code__.co_name == "<lambda>":
            vertex.head += found.digest
        self._encoder = self._lenient
        self._defaults(vertex, fn)
        if fn.__closure__ is not None:
            self._cells(vertex, fn, found)
        wrapped = fn.__dict__.get("__wrapped__")
        if wrapped is not None:
            self._value(vertex, "closure", "__wrapped__", wrapped, None, 0)

    def _variable(self, vertex: Vertex, kind: str, variable: Variable, value: Any, found: Scan) -> None:
        code, offset = variable.code, variable.offset
        if isinstance(value, ModuleType):
            if origin_of_module(value) is not None:
                self._value(vertex, kind, variable.name, value, code, offset)
            else:
                self._chains(vertex, kind, variable, value)
            return
        self._value(vertex, kind, variable.name, value, code, offset)
        if found.kin and isinstance(value, type) and origin_of_class(value) is None:
            kin: list[type] = type.__subclasses__(value)
            self._value(vertex, kind, f"{variable.name}.__subclasses__()", kin, code, offset)
        if type(value) is FunctionType and value.__dict__:
            for chain in variable.chains:
                if chain and chain[0] in value.__dict__ and chain[0] not in found.attributes:
                    name = f"{variable.name}.{chain[0]}"
                    self._value(vertex, kind, name, value.__dict__[chain[0]], code, offset)

    def _chains(self, vertex: Vertex, kind: str, variable: Variable, module: ModuleType) -> None:
        """Write what is read from a module of the project, attribute by attribute."""
        seen = set()
        for chain in variable.chains:
            value: Any = module
            name = variable.name
            for step in chain:
                if not isinstance(value, ModuleType) or origin_of_module(value) is not None or step == "__dict__":
                    break
                try:
                    value = getattr(value, step, _MISSING)
                except Exception:  # noqa: BLE001 - a module's own __getattr__ may raise anything
                    value = _MISSING
                name = f"{name}.{step}"
            if name in seen:
                continue
            seen.add(name)
            if value is _MISSING:
                vertex.parts.append((kind, name, b"-", None, 0, _MISSING))
            else:
                self._value(vertex, kind, name, value, variable.code, variable.offset)

    def _cells(self, vertex: Vertex, fn: FunctionType, found: Scan) -> None:
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
        for variable in found.cells:
            if variable.name in found.cell_writes:
                continue
            try:
                value = cells[variable.name].cell_contents
            except ValueError:  # not bound yet
                vertex.parts.append(("closure", variable.name, b"-", None, 0, _MISSING))
                continue
            self._variable(vertex, "closure", variable, value, found)

    def _defaults(self, vertex: Vertex, fn: FunctionType) -> None:
        code = fn.__code__
        values = fn.__defaults__ or ()
        first = code.co_argcount - len(values)
        for i, value in enumerate(values):
            self._value(vertex, "default", code.co_varnames[first + i], value, None, 0)
        for name, value in sorted((fn.__kwdefaults__ or {}).items()):
            self._value(vertex, "default", name, value, None, 0)

    def _imports(self, vertex: Vertex, found: Scan, names: Mapping[str, Any]) -> None:
        for one in found.imports:
            known = import_origin(one, names)
            if known is not None:
                name, origin = known
                if origin is not None:
                    vertex.origins[origin] = None
                head = origin.head if origin is not None else b"-"
                vertex.parts.append(("import", name, head, None, 0, _MISSING))
                continue
            self._at = Place(vertex, "import", one.module, one.code, one.offset)
            for name, value in imported(one, names):
                # A module's name tells where it lies; what it holds is what counts.
                self._value(vertex, "import", name, value, one.code, one.offset)

    def _own_module(self, vertex: Vertex, names: Mapping[str, Any]) -> None:
        import sys

        module = sys.modules.get(str(names.get("__name__")))
        if module is not None and vars(module) is names:
            self._value(vertex, "global", "globals()", module, None, 0)

    def _class(self, vertex: Vertex, cls: type) -> None:
        self._encoder = self._lenient if is_lenient(cls) else self._strict
        vertex.head = b"class" + text(cls.__name__)
        for name, value in class_rows(cls):
            self._value(vertex, "attribute", name, value, None, 0)

    def _module(self, vertex: Vertex, module: ModuleType) -> None:
        digest, rows = module_content(module)
        vertex.head = b"module" + digest
        # What it holds that has no content, its code makes, and that counts.
        self._encoder = self._lenient
        for name, value in rows:
            self._value(vertex, "global", name, value, None, 0)


def _is_told_by_name(fn: FunctionType) -> bool:
    """Tell whether a function of an installed package is whole as it stands there."""
    if fn.__closure__ is not None or "__wrapped__" in fn.__dict__:
        return False
    code = fn.__code__
    return code.co_name != "<lambda>" and not (fn.__defaults__ and "<locals>" in code.co_qualname)


def _class_vertex(cls: type, via: object) -> Vertex:
    import sys

    module = sys.modules.get(cls.__module__)
    line = vars(cls).get("__firstlineno__")
    return Vertex("class", cls.__qualname__, getattr(module, "__file__", None), line, via)


def _shortened(encoded: bytes) -> bytes:
    return b"#" + blake2b(encoded, digest_size=20).digest()


def _local(vertex: Vertex) -> bytes:
    made = blake2b(vertex.head, digest_size=20)
    made.update(b"".join([text(part[1]) + part[2] for part in vertex.parts]))  # type: ignore[arg-type,operator]
    return made.digest()


def _sees_own_module(found: Scan, names: Mapping[str, Any]) -> bool:
    """Tell whether code looks up names of its own module that only running it would tell."""
    read = {variable.name: variable.chains for variable in found.names}
    if "globals" in read and "globals" not in names:
        return True
    return "__name__" in read and any(chain[:1] == ("modules",) for chain in read.get("sys", ()))
