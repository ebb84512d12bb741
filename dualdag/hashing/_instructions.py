"""Instructions of a code object without what formatting and the interpreter's own needs put there."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from types import CodeType

__all__ = ["Instruction", "decode", "handler_rows", "opcode", "opcodes"]


def opcodes(*names: str) -> frozenset[int]:
    """Return the opcodes of those names that this Python has."""
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


def opcode(name: str) -> int:
    """Return an opcode, or -1 where this Python has none of that name."""
    return dis.opmap.get(name, -1)


_CACHE = 0
_EXTENDED = opcode("EXTENDED_ARG")
_SKIPPED = opcodes("NOP", "RESUME", "PRECALL", "NOT_TAKEN")
_JUMPS = frozenset(dis.hasjrel)
_BACKWARD = frozenset(number for name, number in dis.opmap.items() if "BACKWARD" in name) | (
    opcodes("END_ASYNC_FOR") if sys.version_info >= (3, 14) else frozenset()
)
# Two instructions in one, joined only where both stand on one line.
_PAIRS = {
    opcode(pair): (opcode(first), opcode(second))
    for pair, first, second in (
        ("LOAD_FAST_LOAD_FAST", "LOAD_FAST", "LOAD_FAST"),
        ("STORE_FAST_LOAD_FAST", "STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST_STORE_FAST", "STORE_FAST", "STORE_FAST"),
        ("LOAD_FAST_BORROW_LOAD_FAST_BORROW", "LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
    )
    if pair in dis.opmap
}
_LOAD_CONST, _RETURN_CONST, _RETURN = opcode("LOAD_CONST"), opcode("RETURN_CONST"), opcode("RETURN_VALUE")
_CONSTANT_LOADS = opcodes("LOAD_CONST", "LOAD_SMALL_INT")
_STORE_NAME = opcode("STORE_NAME")
# Set by every class statement; they tell of text and places.
_CLASS_NAMES = frozenset({"__doc__", "__qualname__", "__firstlineno__", "__static_attributes__"})
# 3.11 tells jumps up from jumps down by the opcode.
_FORWARD = {
    number: opcode(name.replace("BACKWARD", "FORWARD"))
    for name, number in dis.opmap.items()
    if "POP_JUMP_BACKWARD" in name
}
_ALWAYS = opcodes("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")
_ENDS = _ALWAYS | opcodes("RETURN_VALUE", "RAISE_VARARGS", "RERAISE")
_INVERSE = {
    opcode(f"POP_JUMP_{way}IF_{one}"): opcode(f"POP_JUMP_{way}IF_{other}")
    for way in ("FORWARD_", "")
    for one, other in (("TRUE", "FALSE"), ("FALSE", "TRUE"), ("NONE", "NOT_NONE"), ("NOT_NONE", "NONE"))
    if f"POP_JUMP_{way}IF_{one}" in dis.opmap
}


# 3.11 only: jumps that keep the value if they jump; with the ones that never keep it.
_KEEPING = {
    opcode(f"JUMP_IF_{sense}_OR_POP"): (sense, opcode(f"POP_JUMP_FORWARD_IF_{sense}"))
    for sense in ("TRUE", "FALSE")
    if f"JUMP_IF_{sense}_OR_POP" in dis.opmap
}
_SENSE = {number: sense for number, (sense, _) in _KEEPING.items()} | {
    number: sense for sense, number in _KEEPING.values()
}


class Instruction:
    """One instruction; a jump's `target` is the position of another, or -1."""

    __slots__ = ("arg", "offset", "op", "target")

    def __init__(self, op: int, arg: int, offset: int, target: int = -1) -> None:
        self.op = op
        self.arg = arg
        self.offset = offset
        self.target = target


def decode(code: CodeType) -> tuple[list[Instruction], list[int]]:
    """Return the instructions that count, and for each code unit the position of the next of them."""
    kept, where, jumps = _read_units(code)
    for item in jumps:
        item.target = where[item.target >> 1]
        item.op = _FORWARD.get(item.op, item.op)
    if len(jumps) > 1:
        kept, where = _straighten(kept, where, jumps)
    return kept, where


def _read_units(code: CodeType) -> tuple[list[Instruction], list[int], list[Instruction]]:
    raw, names = code.co_code, code.co_names
    kept: list[Instruction] = []
    jumps: list[Instruction] = []
    where: list[int] = []
    extended = 0
    for i in range(0, len(raw), 2):
        op = raw[i]
        where.append(len(kept))
        if op == _CACHE:
            continue
        arg = raw[i + 1] | extended
        if op == _EXTENDED:
            extended = arg << 8
            continue
        extended = 0
        if op in _SKIPPED:
            continue
        if op in _JUMPS:
            item = Instruction(op, arg, i, _target(raw, i, op, arg))
            jumps.append(item)
            kept.append(item)
        elif op == _STORE_NAME and names[arg] in _CLASS_NAMES and kept and kept[-1].op in _CONSTANT_LOADS:
            kept.pop()
            where[-1] = len(kept)
        elif op in _PAIRS:
            first, second = _PAIRS[op]
            kept += Instruction(first, arg >> 4, i), Instruction(second, arg & 15, i)
        elif op == _RETURN_CONST:
            kept += Instruction(_LOAD_CONST, arg, i), Instruction(_RETURN, 0, i)
        else:
            kept.append(Instruction(op, arg, i))
    where.append(len(kept))
    return kept, where, jumps


def _target(raw: bytes, i: int, op: int, arg: int) -> int:
    after = i + 2
    while after < len(raw) and raw[after] == _CACHE:
        after += 2
    return after - 2 * arg if op in _BACKWARD else after + 2 * arg


def _straighten(
    kept: list[Instruction], where: list[int], jumps: list[Instruction]
) -> tuple[list[Instruction], list[int]]:
    """Take out jumps to jumps, and "if so, skip a jump": whether they stand there hangs on line breaks."""
    for item in jumps:
        for _ in jumps:
            if item.target >= len(kept) or not _shorten(item, kept[item.target]):
                break
    targets = {item.target for item in jumps}
    dropped = set()
    for i in range(len(kept) - 1):
        item, after = kept[i], kept[i + 1]
        if after.op not in _ALWAYS or i + 1 in targets:
            continue
        if item.op in _ENDS:
            dropped.add(i + 1)
        elif item.op in _INVERSE and item.target == i + 2:
            item.op, item.target = _INVERSE[item.op], after.target
            dropped.add(i + 1)
    if not dropped:
        return kept, where
    rank = [0]
    for i in range(len(kept)):
        rank.append(rank[-1] + (i not in dropped))
    for item in jumps:
        item.target = rank[item.target]
    return [item for i, item in enumerate(kept) if i not in dropped], [rank[i] for i in where]


def _shorten(item: Instruction, there: Instruction) -> bool:
    """Let a jump to a jump go where that one goes; tell whether it did."""
    if there.op in _ALWAYS:
        item.target = there.target
        return True
    if item.op not in _KEEPING or there.op not in _SENSE:
        return False
    sense, dropping = _KEEPING[item.op]
    if _SENSE[there.op] != sense:
        item.op, item.target = dropping, item.target + 1
    else:
        item.op, item.target = there.op, there.target
    return True


def handler_rows(table: bytes, where: list[int]) -> bytes:
    """Return an exception table with positions in place of offsets."""
    rows: list[list[int]] = []
    units = _numbers(table)
    for start in units:
        length, target, flags = next(units), next(units), next(units)
        first, last, handler = where[start], where[start + length], where[target]
        if rows and rows[-1][1:] == [first, handler, flags]:
            rows[-1][1] = last
        elif first < last:
            rows.append([first, last, handler, flags])
    return repr(rows).encode()


def _numbers(table: bytes) -> Iterator[int]:
    value = 0
    for byte in table:
        value = (value << 6) | (byte & 63)
        if not byte & 64:
            yield value
            value = 0
