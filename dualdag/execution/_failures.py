"""Failures as data, since an exception pickled by itself loses its class, its cause or the worker.

Each exception of a chain is taken apart on its own, so that one which can't travel hides no other.
It is put together through ``cls.__new__``: a user's ``__init__`` may want other arguments than ``args``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from dualdag.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Failure", "describe", "rebuild", "revive", "text_of", "user_traceback"]

_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception and all it hangs on, as data.

    Parameters
    ----------
    rows : tuple of Row
        The exception first; those it refers to after it, by index.
    """

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One exception taken apart; what could not be pickled is None."""

    name: str
    text: str
    cls: bytes | None
    args: bytes | None
    state: dict[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    frames: tuple[tuple[str, int, str], ...] = ()
    cause: int = -1
    context: int = -1
    suppress: bool = False
    members: tuple[int, ...] = ()


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__") or ""
    return isinstance(name, str) and (name == "dualdag" or name.startswith(("dualdag.", "dualdag_")))


def user_traceback(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from its first frame that is not dualdag's, or as it is if there is none.

    Parameters
    ----------
    trace : traceback or None
        Of an exception that a task raised.
    """
    first = trace
    while first is not None and _is_ours(first.tb_frame):
        first = first.tb_next
    return first if first is not None else trace


def describe(error: BaseException) -> Failure:
    """Return `error` as data that any process can read.

    Parameters
    ----------
    error : BaseException
        What a task raised.
    """
    found: list[BaseException] = [error]
    index = {id(error): 0}

    def place(other: BaseException | None) -> int:
        if other is None:
            return -1
        if id(other) not in index:
            if len(found) >= _LONGEST_CHAIN:
                return -1
            index[id(other)] = len(found)
            found.append(other)
        return index[id(other)]

    rows = []
    at = 0
    while at < len(found):
        rows.append(_take_apart(found[at], place))
        at += 1
    return Failure(tuple(rows))


def _take_apart(error: BaseException, place: Any) -> Row:
    group = isinstance(error, BaseExceptionGroup)
    kind = type(error)
    state = {name: data for name, value in _state(error) if (data := _dumps(value)) is not None}
    return Row(
        name=f"{kind.__module__}.{kind.__qualname__}",
        text=text_of(error),
        cls=_dumps(kind),
        args=_dumps(error.args[:1] if group else error.args),
        state=state,
        notes=tuple(str(note) for note in getattr(error, "__notes__", ())),
        frames=tuple(_frames(error.__traceback__)),
        cause=place(error.__cause__),
        context=place(error.__context__),
        suppress=error.__suppress_context__,
        members=tuple(place(member) for member in error.exceptions) if isinstance(error, BaseExceptionGroup) else (),
    )


def text_of(error: BaseException) -> str:
    """Return what an exception says, also where its own class makes that fail."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<unprintable {type(error).__qualname__}>"


def _dumps(value: Any) -> bytes | None:
    import pickle

    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(value, protocol=5)
        pickle.loads(data)
    except Exception:  # noqa: BLE001 - pickling runs code of any class
        return None
    return data


def _state(error: BaseException) -> Iterator[tuple[str, Any]]:
    """Yield attributes: those in ``__dict__``, and those that builtin classes keep in slots of their own."""
    for name, value in getattr(error, "__dict__", {}).items():
        if name != "__notes__":
            yield name, value
    for name in _builtin_slots(type(error)):
        try:
            value = getattr(error, name)
        except AttributeError:
            continue
        if value is not None:
            yield name, value


def _builtin_slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        if base.__module__ == "builtins" and base not in (BaseException, object):
            for name, slot in vars(base).items():
                if not name.startswith("__") and type(slot).__name__ in {"member_descriptor", "getset_descriptor"}:
                    yield name


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    trace = user_traceback(trace)
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next


def rebuild(failure: Failure) -> BaseException:
    """Return the exception that `describe` took apart, or a TaskError that tells of it.

    Parameters
    ----------
    failure : Failure
        An exception as data.
    """
    rows = failure.rows
    made: list[BaseException | None] = [None] * len(rows)
    # Members of a group are needed before the group; whatever refers back is left out there.
    for i in reversed(range(len(rows))):
        row = rows[i]
        members = [found for k in row.members if k >= 0 and (found := made[k]) is not None]
        made[i] = _put_together(row, members)
    for row, error in zip(rows, made, strict=True):
        assert error is not None  # noqa: S101 - the loop above filled the list
        error.__cause__ = made[row.cause] if row.cause >= 0 else None
        error.__context__ = made[row.context] if row.context >= 0 else None
        error.__suppress_context__ = row.suppress
        for note in row.notes:
            error.add_note(note)
        error.__traceback__ = _traceback(row.frames)
    first = made[0]
    assert first is not None  # noqa: S101
    return first


def revive(error: BaseException | Failure) -> BaseException:
    """Return an exception, from itself or from data.

    Parameters
    ----------
    error : BaseException or Failure
        What an outcome holds.
    """
    return rebuild(error) if isinstance(error, Failure) else error


def _put_together(row: Row, members: list[BaseException]) -> BaseException:
    import pickle

    try:
        if row.cls is None or row.args is None:
            return _stand_in(row)
        kind: type[BaseException] = pickle.loads(row.cls)
        args = (*pickle.loads(row.args), members) if row.members else pickle.loads(row.args)
        error = _construct(kind, args)
    except Exception:  # noqa: BLE001 - unpickling runs code of any class
        return _stand_in(row)
    for name, data in row.state.items():
        try:
            setattr(error, name, pickle.loads(data))
        except Exception:  # noqa: BLE001, S112 - an attribute less is no reason to lose the exception
            continue
    return error


def _construct(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    error = kind.__new__(kind, *args)
    for base in kind.__mro__:
        init = vars(base).get("__init__")
        # The first __init__ written in C fills what builtin classes keep outside __dict__.
        if init is not None and type(init).__name__ == "wrapper_descriptor":
            try:
                init(error, *args)
            except TypeError:
                error.args = args
            break
    return error


def _stand_in(row: Row) -> BaseException:
    error = TaskError(f"{row.name}: {row.text}")
    if not row.frames:
        return error
    where = "\n".join(f'  File "{file}", line {line}, in {name}' for file, line, name in row.frames)
    error.add_note(f"raised in a worker at\n{where}")
    return error


def _traceback(frames: tuple[tuple[str, int, str], ...]) -> TracebackType | None:
    """Return a traceback that shows `frames`: their own are in another process."""
    trace: TracebackType | None = None
    for file, line, name in reversed(frames):
        code = _STUB.replace(co_filename=file, co_name=name, co_qualname=name, co_firstlineno=max(line, 1))
        frame = _frame_of(code, file)
        trace = TracebackType(trace, frame, frame.f_lasti, line)
    return trace


class _Stub(Exception):  # noqa: N818 - never seen
    pass


_STUB: CodeType = compile("raise stub", "<worker>", "exec")


def _frame_of(code: CodeType, file: str) -> FrameType:
    try:
        exec(code, {"stub": _Stub, "__name__": "__worker__", "__file__": file})  # noqa: S102 - our own stub
    except _Stub:
        trace = sys.exc_info()[2]
        assert trace is not None and trace.tb_next is not None  # noqa: S101, PT018
        return trace.tb_next.tb_frame
    raise AssertionError("a stub that raises came back")  # pragma: no cover
