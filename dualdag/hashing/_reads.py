"""What is read of a function, class or module: its code, and every name, cell and default with its value."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from hashlib import blake2b
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from dualdag.hashing._atoms import ATOMS, text
from dualdag.hashing._bytecode import Scan, Variable, line_of, scan
from dualdag.hashing._classes import class_rows, is_lenient
from dualdag.hashing._components import Vertex
from dualdag.hashing._encode import Encoder
from dualdag.hashing._guards import Guard
from dualdag.hashing._installed import Origin, origin_of_class, origin_of_globals, origin_of_module
from dualdag.hashing._modules import MODULE_NAMES, import_origin, imported, module_content, sees_own_module

__all__ = ["Place", "Reader", "local_digest", "place_of"]

_MISSING = object()
_STANDARD = frozenset(vars(builtins))
# Longer encodings are held as their hash.
_LONG = 64
_CONTAINERS, _FEW = (list, tuple, dict, set, frozenset), 30


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


class Reader:
    """Fills vertices; `Walk` makes them, and says in which order."""

    __slots__ = ("_at", "_encoder", "_guard", "_lenient", "_odd", "_strict")

    _at: Place | None
    _encoder: Encoder
    _guard: Guard
    _lenient: Encoder
    # Whether what is being read was read in a way that the guard can't follow.
    _odd: bool
    _strict: Encoder

    def _reference(self, obj: Any, encoder: Encoder) -> bytes:
        raise NotImplementedError

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
        write = self._reference if type(value) is FunctionType else self._encoded
        encoded = write(value, encoder)
        # What is small and plain is shown where fingerprints are explained.
        told = value if type(value) in _CONTAINERS and len(value) <= _FEW else _MISSING
        vertex.parts.append((kind, name, encoded, code, offset, told))

    def _encoded(self, value: Any, encoder: Encoder) -> bytes:
        out: list[bytes] = []
        encoder.out = out
        encoder.weight = 0
        refs = len(encoder.refs)
        encoder.write(value)
        encoded = b"".join(out)
        weight = encoder.weight + len(out) + len(encoded) // 100
        if len(encoded) > _LONG:
            encoded = _shortened(encoded)
        self._guard.content(value, encoded, encoder.refs[refs:], weight, lenient=encoder.lenient)
        return encoded

    def _function(self, vertex: Vertex, fn: FunctionType) -> None:
        found = scan(fn.__code__)
        names = fn.__globals__
        self._guard.function(fn)
        self._odd = found.kin
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
            self._guard.name(names, name)
            value = names.get(name, _MISSING)
            if value is _MISSING:
                self._guard.name(standard, name)
                value = standard.get(name, _MISSING)
                if value is _MISSING or name in _STANDARD:
                    vertex.parts.append(("global", name, b"+" if name in _STANDARD else b"-", None, 0, _MISSING))
                    continue
            self._variable(vertex, "global", variable, value, found)
        if fn.__closure__ is not None:
            self._cells(vertex, fn, found)
        if sees_own_module(found, names):
            self._own_module(vertex, names)
        if self._odd:
            self._guard.read_again(vertex, fn, self._function)

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
        self._guard.name(fn.__dict__, "__wrapped__")
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
        if type(value) is FunctionType and any(variable.chains):
            self._odd = True
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
                self._guard.name(vars(value), step)
                self._odd = self._odd or step not in vars(value)
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
            self._guard.cell(cells[variable.name])
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
            self._odd = self._odd or known is None or known[1] is None
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

        self._odd = True

        module = sys.modules.get(str(names.get("__name__")))
        if module is not None and vars(module) is names:
            self._value(vertex, "global", "globals()", module, None, 0)

    def _class(self, vertex: Vertex, cls: type) -> None:
        self._encoder = self._lenient if is_lenient(cls) else self._strict
        vertex.head = b"class" + text(cls.__name__)
        rows = class_rows(cls)
        if {name for name, _ in rows[1:]} <= vars(cls).keys():
            self._guard.kind(cls)
        else:
            self._guard.read_again(vertex, cls, self._class)
        for name, value in rows:
            self._value(vertex, "attribute", name, value, None, 0)

    def _module(self, vertex: Vertex, module: ModuleType) -> None:
        digest, rows = module_content(module)
        vertex.head = b"module" + digest
        self._guard.read_again(vertex, module, self._module)
        # What it holds that has no content, its code makes, and that counts.
        self._encoder = self._lenient
        for name, value in rows:
            self._value(vertex, "global", name, value, None, 0)


def _shortened(encoded: bytes) -> bytes:
    return b"#" + blake2b(encoded, digest_size=20).digest()


def local_digest(vertex: Vertex) -> bytes:
    """Return the digest of a vertex without what it refers to."""
    made = blake2b(vertex.head, digest_size=20)
    made.update(b"".join([text(part[1]) + part[2] for part in vertex.parts]))  # type: ignore[arg-type,operator]
    return made.digest()
