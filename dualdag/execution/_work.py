"""What a worker does for one step: call the function, look at its result, name it, publish it."""

from __future__ import annotations

import contextvars
import operator
import sys
import threading
import time
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, DualdagError, GraphError, TaskTimeoutError
from dualdag.execution._copies import bind, own_copy
from dualdag.execution._failures import user_traceback
from dualdag.execution._output import captured_output
from dualdag.execution._protocol import Handle, Literal, Outcome, Step
from dualdag.graph import task_scope
from dualdag.hashing import digest_value, file_token
from dualdag.store import SMALL, File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from dualdag.store import Store

    Take: TypeAlias = Callable[[Handle, bool], Any]

__all__ = ["INSIDE_ELSEWHERE", "INSIDE_HERE", "InputMissingError", "perform", "worth_keeping"]

#: Seconds that a value costs which travels inside its record, on this machine and elsewhere.
INSIDE_HERE, INSIDE_ELSEWHERE = 0.001, 0.005
#: Seconds that one small object costs, and bytes a second of a large one: written and read back once.
LOCAL = (0.005, 100e6)
REMOTE = (0.2, 20e6)

#: Containers whose items are had without running anybody's code.
_PLAIN = (list, tuple, dict)
_LAZY = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)


class InputMissingError(Exception):
    """The stored object of an input is not there, or damaged."""

    def __init__(self, handle: Handle, reason: BaseException) -> None:
        super().__init__(handle.id)
        self.handle = handle
        self.reason = reason


def worth_keeping(seconds: float, nbytes: int, *, local: bool) -> bool:
    """Return whether making a value again would cost more than keeping it.

    The rule of ``persist="auto"``: a result is kept when its function took longer than writing it
    and reading it back once would take, which is taken to be 5 ms and 100 MB/s for a store on this
    machine, 200 ms and 20 MB/s for one elsewhere.  Up to 4 KB travel inside a record, which is written
    anyway: that is taken to be 1 ms on this machine and 5 ms elsewhere.

    Parameters
    ----------
    seconds : float
        What the function took.
    nbytes : int
        Size of the object.
    local : bool
        Whether the store is on this machine.

    Examples
    --------
    >>> worth_keeping(0.001, 10, local=True), worth_keeping(0.002, 10, local=True)
    (False, True)
    >>> worth_keeping(0.002, 10_000, local=True), worth_keeping(1.0, 10_000, local=True)
    (False, True)
    >>> worth_keeping(1.0, 10**9, local=True)
    False
    >>> worth_keeping(0.1, 10, local=False), worth_keeping(0.1, 10_000, local=False)
    (True, False)
    """
    if nbytes <= SMALL:
        return seconds > (INSIDE_HERE if local else INSIDE_ELSEWHERE)
    latency, rate = LOCAL if local else REMOTE
    return seconds > latency + nbytes / rate


def perform(step: Step, take: Take, store: Store, *, local: bool) -> tuple[Outcome, Any]:
    """Carry one step out, and return what became of it together with its value.

    Parameters
    ----------
    step : Step
        What to do.
    take : callable
        Gives an input, the step's own copy where its second argument is true; raises InputMissingError.
    store : Store
        Where the result is published if it is kept.
    local : bool
        Whether the store is on this machine.
    """
    outcome = Outcome(step.id)
    value: Any = None
    try:
        # Of what is only looked into nothing but what is picked has to be the step's own.
        picks = step.fn is operator.getitem
        values = [_given(i, take, copy=not picks) for i in step.inputs]
        args, kwargs = bind(step.args, step.kwargs, step.names, values)
        del values
    except InputMissingError as error:
        return Outcome(step.id, "missing", error=error.reason, detail=error.handle.id), None
    except BaseException as error:  # noqa: BLE001 - told as data
        return _failed(outcome, error, retry=False)
    if step.files and (url := _moved(step)):
        return Outcome(step.id, "moved", detail=url), None
    started = time.perf_counter()
    with captured_output() as output:
        try:
            value = _call(step, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - a worker must outlive whatever a task raises
            _failed(outcome, error, retry=isinstance(error, step.retry_on))
    outcome.seconds = time.perf_counter() - started
    outcome.output = output.text()
    if outcome.error is not None:
        return outcome, None
    if step.files and (url := _moved(step)):
        return Outcome(step.id, "moved", detail=url), None
    try:
        # Not `del args`: until here they may be what the value is made of.
        _check_result(step, value)
        outcome.digest = _digest(step, value)
        _keep(step, outcome, value, store, local)
        if isinstance(value, File) and (step.publish or not outcome.keep):
            # Whoever takes it gets the path of a file that nobody writes to.
            value = value.path if outcome.checksum is None else store.load(outcome.checksum, outcome.codec)
    except BaseException as error:  # noqa: BLE001 - told as data
        return _failed(outcome, error, retry=False)
    return outcome, value


def _given(given: Handle | Literal, take: Take, *, copy: bool) -> Any:
    if isinstance(given, Handle):
        return take(given, copy)
    return own_copy(given.value) if copy else given.value


def _function(step: Step) -> Callable[..., Any]:
    return _pick if step.fn is operator.getitem else step.fn


def _pick(container: Any, item: Any) -> Any:
    """Do what `operator.getitem` does, and return what is the caller's alone."""
    if type(container) in _PLAIN:
        return own_copy(container[item])
    return own_copy(container)[item]


def rests_on(inputs: Iterable[Handle | Literal], broken: set[int]) -> bool:
    """Return whether one of a step's inputs is a result that there is not.

    Parameters
    ----------
    inputs : iterable of Handle or Literal
        The step's.
    broken : set of int
        Numbers of the steps of the same job that did not get done.
    """
    return bool(broken) and any(type(one) is Handle and one.id in broken for one in inputs)


def _failed(outcome: Outcome, error: BaseException, *, retry: bool) -> tuple[Outcome, None]:
    outcome.status = "failed"
    outcome.error = error.with_traceback(user_traceback(error.__traceback__))
    outcome.retry = retry
    return outcome, None


def _call(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if step.timeout is None:
        with task_scope(step.label):
            return _function(step)(*args, **kwargs)
    return _call_in_time(step, args, kwargs, step.timeout)


def _call_in_time(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float) -> Any:
    """Call in a thread of its own, which is left behind when time is up: a thread can't be stopped."""
    box: list[Any] = []
    ended = threading.Event()

    def call() -> None:
        try:
            with task_scope(step.label):
                box.append((True, _function(step)(*args, **kwargs)))
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            box.append((False, error))
        ended.set()

    # What it prints belongs to the node too.
    within = contextvars.copy_context()
    threading.Thread(target=within.run, args=(call,), name=f"dualdag {step.label}", daemon=True).start()
    if not ended.wait(timeout):
        raise timed_out(step.label, step.site, timeout)
    done, value = box.pop()
    if done:
        return value
    raise value


def timed_out(label: str, site: object, timeout: float) -> TaskTimeoutError:
    """Return the error of a task that took too long.

    Parameters
    ----------
    label, site : str
        The node and the line that made it.
    timeout : float
        Seconds it was given.
    """
    return TaskTimeoutError(
        f"{label!r} ({site}) took longer than its timeout of {timeout:g} s: "
        "give it more with .options(timeout=...), or find out what it waits for."
    )


def _moved(step: Step) -> str | None:
    """Return the first file whose content is no longer the one that keys were made of."""
    for url, token in step.files:
        now = file_token(url)
        if now is None or (token is not None and now.token != token.token):
            return url
    return None


def _check_result(step: Step, value: Any) -> None:
    kind = type(value)
    if hasattr(kind, "__dualdag_node__") and not isinstance(value, type):
        raise GraphError(
            f"{step.label!r} ({step.site}) returned {value!r}, a step that has not run: a task returns values. "
            "Call the other task while the graph is built, or its plain function with .fn(...)."
        )
    if kind in (list, tuple, dict, set, frozenset):
        inner = value.values() if kind is dict else value
        if any(hasattr(k, "__dualdag_node__") for k in set(map(type, inner))):
            raise GraphError(
                f"{step.label!r} ({step.site}) returned a {kind.__name__} with a node in it: a task returns "
                "values. Call the other task while the graph is built, or its plain function with .fn(...)."
            )
    if isinstance(value, _LAZY):
        if isinstance(value, types.CoroutineType):
            value.close()
        raise CodecError(
            f"{step.label!r} ({step.site}) returned a {kind.__name__}, which gives its items once and can't be "
            "stored: return a list (or asyncio.run(...) of a coroutine)."
        )
    if step.nout > 1 and (not isinstance(value, (tuple, list)) or len(value) != step.nout):
        got = f"{kind.__name__} of {len(value)}" if isinstance(value, (tuple, list)) else kind.__name__
        raise GraphError(
            f"{step.label!r} ({step.site}) has nout={step.nout} and returned a {got}: "
            f"return a tuple or list of exactly {step.nout} items."
        )


def _digest(step: Step, value: Any) -> bytes:
    try:
        return digest_value(value)
    except (DualdagError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise unstorable(step.label, step.site, value, error) from error


def unstorable(label: str, site: object, value: Any, error: BaseException) -> CodecError:
    kind = type(value)
    return CodecError(
        f"{label!r} ({site}) returned a {kind.__module__}.{kind.__qualname__} that can't be stored: {error} "
        "Return plain data, a frame or an array; make what can't be pickled inside the task that uses it; "
        "or teach its class with dag.register."
    )


def _keep(step: Step, outcome: Outcome, value: Any, store: Store, local: bool) -> None:
    keep = step.keep
    if keep is None and isinstance(value, File):
        keep = True
    if keep is None:
        # Not worth it even with no bytes at all: then nothing needs to be measured.  An fsync costs what a place
        # elsewhere does.
        if not worth_keeping(outcome.seconds, 0, local=local and not store.durable):
            return
        keep = worth_keeping(outcome.seconds, guess_size(value), local=local)
    if not keep:
        return
    outcome.keep = True
    if step.publish:
        try:
            publish(step.label, step.site, outcome, value, store)
        except CodecError:
            # Kept for its cost alone: it goes on as it is, and is made again where it is needed again.
            if store.payload != "safe" or step.keep is not None or isinstance(value, File):
                raise
            outcome.keep = False


def publish(label: str, site: object, outcome: Outcome, value: Any, store: Store) -> None:
    """Put the value into the store, and say in `outcome` where.

    Parameters
    ----------
    label, site : str
        Whose result it is.
    outcome : Outcome
        Filled in.
    value : object
        What to store.
    store : Store
        Where.
    """
    try:
        saved = store.save(value)
    except CodecError as error:
        raise unstorable(label, site, value, error) from error
    outcome.checksum = saved.checksum
    outcome.codec = saved.codec
    outcome.nbytes = saved.nbytes


def told_size(value: Any) -> int | None:
    """Return how many bytes a frame or an array says that it takes; None for what does not say.

    Parameters
    ----------
    value : object
        Any value.
    """
    with suppress(Exception):
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(value, pandas.DataFrame):
            return int(value.memory_usage(deep=False).sum())
        for name in ("nbytes", "estimated_size"):
            size = getattr(value, name, None)
            if size is not None:
                return int(size() if callable(size) else size)
    return None


def guess_size(value: Any) -> int:
    """Return about how many bytes a value takes, without encoding it.

    Parameters
    ----------
    value : object
        Any value; frames, arrays and text tell at once, containers by their first items.
    """
    told = told_size(value)
    if told is not None:
        return told
    with suppress(Exception):
        if isinstance(value, (bytes, bytearray, str)):
            return len(value)
        if isinstance(value, (list, tuple, set, frozenset, dict)) and value:
            items = list(value.items()) if isinstance(value, dict) else list(value)
            some = items[:: max(1, len(items) // 20)][:20]
            return int(len(items) / len(some) * sum(guess_size(item) for item in some))
    return sys.getsizeof(value, 64)
