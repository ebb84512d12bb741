"""Exceptions as data and back."""

from __future__ import annotations

import pickle
import traceback

import pytest

from dualdag.errors import TaskError
from dualdag.execution._failures import describe, rebuild, revive, user_traceback


class TwoPartError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")
        self.one, self.two = one, two


class KeywordError(ValueError):
    def __init__(self, *, why):
        super().__init__()
        self.why = why


class OwnOSError(OSError):
    def __init__(self, errno, text, extra):
        super().__init__(errno, text, "file.txt")
        self.extra = extra


class StubbornError(Exception):
    def __new__(cls, one, two):
        return super().__new__(cls, one, two)

    def __init__(self, one, two):
        super().__init__("text")


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raised(make):
    try:
        make()
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def there_and_back(error):
    failure = pickle.loads(pickle.dumps(describe(error)))
    return rebuild(failure)


def throw(error):
    raise error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1),
        KeyError("k"),
        StopIteration(7),
        SystemExit(3),
        KeyboardInterrupt("x"),
        FileNotFoundError(2, "gone", "f.txt"),
        OSError("plain"),
        ImportError("no", name="mod", path="p"),
        AttributeError("no", name="attr"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        UnicodeEncodeError("ascii", "é", 0, 1, "bad"),
        SyntaxError("bad", ("f.py", 3, 1, "x =")),
        TwoPartError(1, 2),
        KeywordError(why="z"),
        OwnOSError(5, "io", "more"),
        RecursionError("deep"),
        GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_class_args_and_attributes_come_back(error):
    got = there_and_back(raised(lambda: throw(error)))
    assert type(got) is type(error)
    assert got.args == error.args
    assert str(got) == str(error)
    assert {k: v for k, v in vars(got).items() if k != "__notes__"} == vars(error)
    for name in ("errno", "strerror", "filename", "name", "path", "value", "code", "start", "lineno"):
        assert getattr(got, name, None) == getattr(error, name, None)


def test_cause_context_notes_and_groups():
    def make():
        try:
            try:
                raise KeyError("inner")
            except KeyError:
                raise TwoPartError(1, 2)  # noqa: B904
        except TwoPartError as error:
            new = ExceptionGroup("many", [ValueError(1), ExceptionGroup("more", [KeywordError(why="w")])])
            new.add_note("a note")
            raise new from error

    got = there_and_back(raised(make))
    assert type(got) is ExceptionGroup
    assert got.message == "many"
    assert got.__notes__ == ["a note"]
    assert got.exceptions[1].exceptions[0].why == "w"
    assert type(got.__cause__) is TwoPartError
    assert got.__suppress_context__
    assert type(got.__cause__.__context__) is KeyError


def test_an_exception_that_is_its_own_cause():
    error = ValueError("round")
    error.__cause__ = error
    got = there_and_back(error)
    assert got.__cause__ is got


def test_what_cannot_travel_is_told_of():
    def local():
        error = ValueError("kept")
        error.lock = __import__("threading").Lock()
        raise error

    got = there_and_back(raised(local))
    assert type(got) is ValueError
    assert not hasattr(got, "lock")
    unpicklable = ValueError(__import__("threading").Lock())
    got = there_and_back(unpicklable)
    assert type(got) is TaskError
    assert "builtins.ValueError" in str(got)
    assert "unprintable" in str(there_and_back(UnprintableError(__import__("threading").Lock())))


def test_a_class_that_cannot_be_rebuilt():
    got = there_and_back(raised(lambda: throw(StubbornError(1, 2))))
    assert type(got) is TaskError
    assert "text" in str(got)


def test_traceback_is_shown_without_the_frames():
    def deeper():
        raise ValueError("here")

    def outer():
        deeper()

    error = raised(outer)
    got = there_and_back(error)
    theirs = [(f.name, f.lineno, f.filename) for f in traceback.extract_tb(error.__traceback__)]
    ours = [(f.name, f.lineno, f.filename) for f in traceback.extract_tb(got.__traceback__)]
    assert ours == theirs
    assert 'raise ValueError("here")' in "".join(traceback.format_exception(got))


def test_user_traceback_without_a_user_is_left_as_it_is():
    assert user_traceback(None) is None
    error = ValueError("x")
    assert revive(error) is error
