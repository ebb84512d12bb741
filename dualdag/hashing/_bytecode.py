"""Code objects as normalised streams: what a function does, and by which names it reaches other things.

A stream holds, for each instruction, its opcode and what its argument stands for: constants by
value, names as text, jumps by the position of their target.  Line numbers, file names, docstrings,
the order of constants and what the compiler only adds for the interpreter's sake do not enter it.
"""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass
from hashlib import blake2b
from types import CodeType
from typing import Any

from dualdag.hashing._atoms import text
from dualdag.hashing._encode import encode
from dualdag.hashing._instructions import Instruction, decode, handler_rows, opcode, opcodes

__all__ = ["Import", "Scan", "Variable", "scan"]

Chain = tuple[str, ...]

_CONSTANTS = frozenset(dis.hasconst)
_NAMES = frozenset(dis.hasname)
_CELLS = frozenset(dis.hasfree)
_LOCALS = frozenset(dis.haslocal)
# Some arguments hold flags below the index of the name.
_SHIFT = {opcode("LOAD_GLOBAL"): 1}
if sys.version_info >= (3, 12):
    _SHIFT |= {opcode("LOAD_ATTR"): 1, opcode("LOAD_SUPER_ATTR"): 2}
_LOAD_CONST = opcode("LOAD_CONST")
_CONSTANT_LOADS = opcodes("LOAD_CONST", "LOAD_SMALL_INT")
_STORE_NAME = opcode("STORE_NAME")
_DELETE_NAME = opcode("DELETE_NAME")
_STORE_ATTR = opcode("STORE_ATTR")
_PUSH_NULL = opcode("PUSH_NULL")
_IMPORT = opcode("IMPORT_NAME")
_IMPORTERS = frozenset({"import_module", "__import__"})
_STAR = opcode("IMPORT_STAR"), opcode("CALL_INTRINSIC_1")
_ATTRIBUTES = opcodes("LOAD_ATTR", "LOAD_METHOD")
_GLOBALS = opcodes("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_DEREFS = opcodes("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_WRITES = opcodes("STORE_GLOBAL", "DELETE_GLOBAL")
_CELL_WRITES = opcodes("STORE_DEREF", "DELETE_DEREF")

# A function that names one of these can see the names of its locals.
_SCOPE_NAMES = frozenset({"locals", "eval", "exec", "vars", "dir"})
_FLAGS = 0x3AC


@dataclass(frozen=True, slots=True)
class Variable:
    """A global or closed-over name that code reads.

    Parameters
    ----------
    name : str
        The name.
    head : bytes
        The name, encoded.
    chains : tuple of tuple of str
        The attributes read from it one after another, for each place that reads it; ``()`` where
        it is used itself.
    code : CodeType
        The code that reads it first.
    offset : int
        Where in that code.
    """

    name: str
    head: bytes
    chains: tuple[Chain, ...]
    code: CodeType
    offset: int


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement in a function."""

    module: str
    level: int
    names: Chain | None
    code: CodeType
    offset: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of a code object without running it.

    Parameters
    ----------
    code : CodeType
        Kept, since scans are found by its ``id``.
    digest : bytes
        Of the stream, code nested in it included.
    names, cells : tuple of Variable
        Globals and closed-over names that are read.
    imports : tuple of Import
        Imports made while running.
    writes, cell_writes : frozenset of str
        Names that the code binds itself: its state, not its input.
    attributes : frozenset of str
        Names of attributes that the code sets.
    stored : tuple of str
        What a module's code binds at its top level.
    star : bool
        Whether there is an ``import *``.
    kin : bool
        Whether a class is asked for its subclasses.
    """

    code: CodeType
    digest: bytes
    names: tuple[Variable, ...]
    cells: tuple[Variable, ...]
    imports: tuple[Import, ...]
    writes: frozenset[str]
    cell_writes: frozenset[str]
    attributes: frozenset[str]
    stored: Chain
    star: bool
    kin: bool


_scans: dict[int, Scan] = {}
_LIMIT = 100_000


def scan(code: CodeType) -> Scan:
    """Return the scan of a code object, made once."""
    known = _scans.get(id(code))
    if known is not None:
        return known
    if len(_scans) >= _LIMIT:
        _scans.clear()
    made = _Scanner(code).scan()
    _scans[id(code)] = made
    return made


class _Found:
    """Chains of one name while a scan collects them."""

    __slots__ = ("chains", "code", "offset")

    def __init__(self, code: CodeType, offset: int) -> None:
        self.code = code
        self.offset = offset
        self.chains: dict[Chain, None] = {}


class _Scanner:
    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.stream: list[bytes] = []
        self.names: dict[str, _Found] = {}
        self.cells: dict[str, _Found] = {}
        self.imports: list[Import] = []
        self.writes: set[str] = set()
        self.cell_writes: set[str] = set()
        self.attributes: set[str] = set()
        self.stored: dict[str, None] = {}
        # Names of a class body that are bound whatever way was taken to get here.
        self.bound: set[str] = set()
        self.branch = 0
        self.star = False
        self.kin = False
        plain = code.co_varnames
        own = [name for name in code.co_cellvars if name not in plain]
        self.variables = (*plain, *own, *code.co_freevars)
        self.free = frozenset(code.co_freevars)

    def scan(self) -> Scan:
        code = self.code
        kept, where = decode(code)
        self._head(code)
        for i, item in enumerate(kept):
            self._instruction(i, item, kept)
        if code.co_exceptiontable:
            self.stream.append(handler_rows(code.co_exceptiontable, where))
        for name in code.co_freevars:
            self.cells.setdefault(name, _Found(code, 0)).chains or self.cells[name].chains.setdefault((), None)
        digest = blake2b(b"".join(self.stream), digest_size=20).digest()
        return Scan(
            code,
            digest,
            _variables(self.names),
            _variables(self.cells),
            tuple(self.imports),
            frozenset(self.writes),
            frozenset(self.cell_writes),
            frozenset(self.attributes),
            tuple(self.stored),
            self.star,
            self.kin,
        )

    def _head(self, code: CodeType) -> None:
        flags = code.co_flags & _FLAGS
        named = code.co_argcount + code.co_kwonlyargcount + bool(flags & 4) + bool(flags & 8)
        seen = code.co_varnames if _SCOPE_NAMES.intersection(code.co_names) else code.co_varnames[:named]
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, flags, len(code.co_freevars)
        self.stream.append(b"%d %d %d %d %d;" % counts)
        self.stream.append(text(" ".join(seen)))

    def _instruction(self, i: int, item: Instruction, kept: list[Instruction]) -> None:
        op, arg = item.op, item.arg
        if op in _CONSTANTS:
            value = self.code.co_consts[arg]
            self.stream.append(b"%d=%b" % (op, self._constant(value)))
            if type(value) is str:
                self._imported(value, i, kept)
        elif op in _NAMES:
            shift = _SHIFT.get(op, 0)
            name = self.code.co_names[arg >> shift]
            self.stream.append(b"%d.%d%b" % (op, arg & ((1 << shift) - 1), text(name)))
            self._name(name, i, kept)
        elif item.target >= 0:
            self.stream.append(b"%d>%d;" % (op, item.target))
            self.branch = max(self.branch, item.target)
        elif op in _CELLS:
            name = self.variables[arg]
            self.stream.append(b"%d~%b" % (op, text(name)))
            self._cell(name, i, kept)
        elif op in _LOCALS and arg >= len(self.code.co_varnames):
            self.stream.append(b"%d~%b" % (op, text(self.variables[arg])))
        else:
            self.stream.append(b"%d %d;" % (op, arg))
            if op == _STAR[0] or (op == _STAR[1] and arg == 2):
                self.star = True

    def _constant(self, value: Any) -> bytes:
        if not isinstance(value, CodeType):
            return encode(value)
        inner = scan(value)
        for variable in inner.names:
            self._merge(self.names, variable)
        for variable in inner.cells:
            if variable.name in self.free:
                self._merge(self.cells, variable)
        self.imports.extend(inner.imports)
        self.writes |= inner.writes
        self.cell_writes |= inner.cell_writes & self.free
        self.attributes |= inner.attributes
        self.kin |= inner.kin
        return b"C" + text(value.co_name) + inner.digest

    def _merge(self, into: dict[str, _Found], variable: Variable) -> None:
        found = into.get(variable.name)
        if found is None:
            found = into[variable.name] = _Found(variable.code, variable.offset)
        found.chains.update(dict.fromkeys(variable.chains))

    def _name(self, name: str, i: int, kept: list[Instruction]) -> None:
        item = kept[i]
        op = item.op
        if op in _GLOBALS:
            # A class body reads its own names first, where it has them by then.
            if name not in self.bound:
                self._read(self.names, name, i, kept)
        elif op in _WRITES:
            self.writes.add(name)
        elif op == _STORE_NAME:
            self.stored[name] = None
            if i >= self.branch and not self.code.co_exceptiontable:
                self.bound.add(name)
        elif op == _DELETE_NAME:
            self.bound.discard(name)
        elif op == _STORE_ATTR:
            self.attributes.add(name)
        elif name == "__subclasses__":
            self.kin = True
        elif op == _IMPORT:
            level, names = self._loaded(kept, i - 2), self._loaded(kept, i - 1)
            self.imports.append(
                Import(name, level if isinstance(level, int) else 0, names or None, self.code, item.offset)
            )

    def _loaded(self, kept: list[Instruction], i: int) -> Any:
        item = kept[i] if i >= 0 else None
        if item is None or item.op not in _CONSTANT_LOADS:
            return None
        return self.code.co_consts[item.arg] if item.op == _LOAD_CONST else item.arg

    def _imported(self, module: str, i: int, kept: list[Instruction]) -> None:
        """Take ``import_module("a.b")``, for the import statement that it could have been."""
        before = kept[max(i - 2, 0) : i]
        at = next((one for one in reversed(before) if one.op != _PUSH_NULL), None)
        if at is not None and at.op in _NAMES and self.code.co_names[at.arg >> _SHIFT.get(at.op, 0)] in _IMPORTERS:
            name = module.lstrip(".")
            self.imports.append(Import(name, len(module) - len(name), None, self.code, at.offset))

    def _cell(self, name: str, i: int, kept: list[Instruction]) -> None:
        if name not in self.free:
            return
        op = kept[i].op
        if op in _DEREFS:
            self._read(self.cells, name, i, kept)
        elif op in _CELL_WRITES:
            self.cell_writes.add(name)

    def _read(self, into: dict[str, _Found], name: str, i: int, kept: list[Instruction]) -> None:
        chain = []
        after = i + 1
        while after < len(kept) and kept[after].op in _ATTRIBUTES:
            chain.append(self.code.co_names[kept[after].arg >> _SHIFT.get(kept[after].op, 0)])
            after += 1
        if not chain and after < len(kept) and kept[after].op == _STORE_ATTR:
            return  # only written to
        found = into.get(name)
        if found is None:
            found = into[name] = _Found(self.code, kept[i].offset)
        found.chains[tuple(chain)] = None


def _variables(found: dict[str, _Found]) -> tuple[Variable, ...]:
    return tuple(
        Variable(name, text(name), tuple(entry.chains), entry.code, entry.offset) for name, entry in found.items()
    )


def line_of(code: CodeType, offset: int) -> int | None:
    """Return the line of the instruction at `offset`."""
    line: int | None = None
    for start, end, number in code.co_lines():
        if start <= offset < end:
            return number
        line = line or number
    return line
