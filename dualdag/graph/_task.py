"""Tasks: functions whose calls make nodes."""

from __future__ import annotations

import functools
import inspect
import operator
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from dualdag.errors import FingerprintError, GraphError
from dualdag.graph._containers import ATOMS, nodes_in, snapshot
from dualdag.graph._node import Node, assemble, make_node
from dualdag.graph._op import Op, own_hash
from dualdag.graph._options import Options, check_options
from dualdag.graph._site import caller_site
from dualdag.hashing import Fingerprint, combine, encode, fingerprint, hash_key

__all__ = ["Task", "getitem", "new_hold", "task"]

P = ParamSpec("P")
R = TypeVar("R")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN = frozenset(ATOMS | {Node})

# A fingerprint is taken at a task's first call and held until the next plan or run: the number of
# the hold tells a task whether its own is still good.
_hold = [0]


def new_hold() -> None:
    """Make every task take its fingerprint again at its next call."""
    _hold[0] += 1


class Task(Generic[P, R]):
    """A function whose calls make nodes instead of running.

    Made by `dualdag.task`; the plain function stays at ``.fn``.

    Parameters
    ----------
    fn : callable
        The plain function.
    options : mapping
        Normalised options that are not identity.
    nout : int
        How many values a result unpacks into.
    version : object
        Stands for the function's fingerprint if not None.
    ignore : tuple of str
        Arguments left out of keys.
    """

    def __init__(
        self, fn: Callable[P, R], options: Mapping[str, Any], nout: int, version: object, ignore: tuple[str, ...]
    ) -> None:
        self.fn = fn
        self._options = dict(options)
        self._nout = nout
        self._version = version
        self._ignore = frozenset(ignore)
        self._op: Op | None = None
        self._own_of_nodes: bytes | None = None
        self._taken = -1
        self._signature = _signature(fn)
        self._plain_count = _plain_count(self._signature, self._ignore)
        self._defaults: dict[str, bytes | None] = {}
        self.label: str = getattr(_unwrap(fn), "__name__", None) or type(fn).__name__
        functools.update_wrapper(self, fn, updated=())
        _check_ignore(self)

    @property
    def __dualdag_fn__(self) -> Callable[P, R]:
        return self.fn

    @property
    def __dualdag_version__(self) -> object:
        return self._version

    # The second form is for nodes among the arguments: no type says "the same, or a Node of it" of a signature.
    @overload
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Node[R]: ...
    @overload
    def __call__(self, /, *args: Any, **kwargs: Any) -> Node[R]: ...
    def __call__(self, /, *args: Any, **kwargs: Any) -> Node[R]:
        op = self._op
        if op is None or self._taken != _hold[0]:
            op = self._take()
        if kwargs or len(args) != self._plain_count:
            return self._bound_call(op, args, kwargs)
        for arg in args:
            if type(arg) is not Node:
                break
        else:
            # Calls that take nodes alone differ in these only, so they share one hash of their own,
            # and one tuple serves as arguments and inputs.
            own = self._own_of_nodes
            if own is None:
                own = self._own_of_nodes = own_hash(op, encode(args, []))
            nodes = cast("tuple[Node[Any], ...]", args)
            return assemble(op, nodes, None, nodes, own, combine(own, [n._key for n in nodes]), caller_site(), None)
        inputs: list[Node[Any]] = []
        own = own_hash(op, self._encoded(args, inputs))
        if all(type(arg) in _PLAIN for arg in args):
            return make_node(op, args, None, tuple(inputs), own, caller_site())
        kept = tuple([snapshot(arg) for arg in args])
        self._check_places(inputs, kept)
        return make_node(op, kept, None, tuple(inputs), own, caller_site())

    def _bound_call(self, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node[R]:
        inputs: list[Node[Any]] = []
        positional, named = self._normalise(args, kwargs)
        counted = positional, named
        if self._ignore:
            counted = self._without_ignored(positional, named)
        body = self._encoded(counted[0], inputs)
        if counted[1]:
            body += self._encoded(tuple(counted[1].items()), inputs)
        kept = {name: snapshot(value) for name, value in named.items()} or None
        stand = tuple([snapshot(a) for a in positional])
        self._check_places(inputs, (stand, kept))
        return make_node(op, stand, kept, tuple(inputs), own_hash(op, body), caller_site(3))

    def _encoded(self, args: tuple[Any, ...], inputs: list[Node[Any]]) -> bytes:
        try:
            return encode(args, inputs)
        except FingerprintError as error:
            raise FingerprintError(f"an argument of {self.label}() at {caller_site()}: {error}") from error.__cause__

    def _check_places(self, inputs: list[Node[Any]], kept: object) -> None:
        """Refuse a node that was hashed where no value can take its place, such as an object's attribute."""
        if not inputs:
            return
        found = Counter([node._key for node in nodes_in(kept)])
        for node in inputs:
            found[node._key] -= 1
            if found[node._key] < 0:
                raise GraphError(
                    f"{self.label}() at {caller_site()}: {node!r} stands inside an object where its value can't "
                    "take its place: pass it as an argument, or in a list, tuple, dict, set or dataclass."
                )

    def _normalise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give each meaning one spelling: f(1) and f(x=1), a default left out or written out."""
        if self._signature is None:
            return args, kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.label}() at {caller_site(4)}: {error}") from None
        params = self._signature.parameters
        positional: list[Any] = []
        named: dict[str, Any] = {}
        rest = next((n for n, p in params.items() if p.kind is p.VAR_POSITIONAL), None)
        spread = bool(rest and bound.arguments.get(rest))
        for name, param in params.items():
            if param.kind is param.VAR_POSITIONAL:
                positional.extend(bound.arguments.get(name, ()))
            elif param.kind is param.VAR_KEYWORD:
                named.update(bound.arguments.get(name, {}))
            elif name in bound.arguments:
                value = bound.arguments[name]
                must_stand = param.kind in _POSITIONAL and (spread or param.kind is param.POSITIONAL_ONLY)
                if not must_stand and self._is_default(name, param, value):
                    continue
                # What follows an ignored argument must not tell by its spelling whether that one was given.
                at = _index(params, name)
                free = len(positional) == at and not (self._ignore and self._ignore.intersection(list(params)[:at]))
                if must_stand or (param.kind in _POSITIONAL and free):
                    positional.append(value)
                else:
                    named[name] = value
        return tuple(positional), named

    def _is_default(self, name: str, param: inspect.Parameter, value: Any) -> bool:
        if param.default is param.empty:
            return False
        if value is param.default:
            return True
        if hasattr(type(value), "__dualdag_node__") or type(value) is not type(param.default):
            return False
        if name not in self._defaults:
            self._defaults[name] = _encode_default(param.default)
        known = self._defaults[name]
        return known is not None and _encode_default(value) == known

    def _without_ignored(
        self, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments that count for the key, None where an ignored one must keep its place."""
        standing = self._standing(len(positional))
        ignored = [value for name, value in zip(standing, positional, strict=True) if name in self._ignore]
        params = self._signature.parameters if self._signature else {}
        # After a positional-only `x`, a keyword `x` is one of **kwargs.
        left_out = {n for n in self._ignore if params[n].kind is not inspect.Parameter.POSITIONAL_ONLY}
        ignored += [value for name, value in named.items() if name in left_out]
        probe = nodes_in(ignored)
        if probe:
            raise GraphError(
                f"{self.label}() at {caller_site(4)}: an argument named in ignore=... holds {probe[0]!r}; "
                "what is left out of the key can't be an input of the graph."
            )
        counted = [None if name in self._ignore else value for name, value in zip(standing, positional, strict=True)]
        # An ignored argument at the end must not tell "given" from "left out".
        while counted and standing[len(counted) - 1] in self._ignore:
            counted.pop()
        return tuple(counted), {name: value for name, value in named.items() if name not in left_out}

    def _standing(self, count: int) -> list[str]:
        """Return the name of each of the first `count` positional arguments, ``*args`` as often as it takes."""
        params = self._signature.parameters.values() if self._signature else ()
        names = [p.name for p in params if p.kind in _POSITIONAL]
        rest = [p.name for p in params if p.kind is p.VAR_POSITIONAL]
        return (names + rest * count)[:count]

    def _take(self) -> Op:
        """Take the fingerprint, keeping the old Op where nothing moved, so that equal tasks share it."""
        taken = fingerprint(self.fn) if self._version is None else None
        op = self._op
        if op is None or (taken is not None and op.fingerprint is not None and taken.digest != op.fingerprint.digest):
            op = _make_op(self, taken)
            self._own_of_nodes = None
        self._op = op
        self._taken = _hold[0]
        return op

    def options(self, **options: Any) -> Task[P, R]:
        """Return the same task with other options.

        Parameters
        ----------
        **options
            As for `dualdag.task`.
        """
        given = {"nout": self._nout, "version": self._version, "ignore": tuple(self._ignore), **self._options}
        chosen: dict[str, Any] = {**given, **options}
        return task(**chosen)(self.fn)

    def __getstate__(self) -> dict[str, Any]:
        # An Op names its function by the place of its task, which a class that travels by value has not.
        return {**self.__dict__, "_op": None, "_own_of_nodes": None, "_taken": -1}

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Task[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Node[R]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<Task {self.label}>"


def _make_op(made: Task[Any, Any], taken: Fingerprint | None) -> Op:
    if taken is not None:
        identity = taken.digest
    else:
        named = getattr(_unwrap(made.fn), "__qualname__", made.label)
        identity = hash_key(b"version", encode(named), encode(made._version))
    prefix = hash_key(b"call", identity, encode(made._nout), encode(tuple(sorted(made._ignore))))
    version = "" if made._version is None else reprlib.repr(made._version)
    return Op("call", made.label, prefix, made.fn, taken, made._options, made._nout, version)


def _encode_default(value: Any) -> bytes | None:
    try:
        return bytes(encode(value))
    except TypeError:
        return None


def _index(params: Mapping[str, inspect.Parameter], name: str) -> int:
    return list(params).index(name)


def _unwrap(fn: Any) -> Any:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def _signature(fn: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):  # many builtins have none
        return None


def _plain_count(signature: inspect.Signature | None, ignore: frozenset[str]) -> int:
    """Return how many positional arguments need no normalising: all, none has a default; else -1."""
    if signature is None or ignore:
        return -1
    params = signature.parameters.values()
    plain = all(p.kind in _POSITIONAL and p.default is p.empty for p in params)
    return len(signature.parameters) if plain else -1


def _check_ignore(made: Task[Any, Any]) -> None:
    params = made._signature.parameters if made._signature else {}
    unknown = {n for n in made._ignore if n not in params or params[n].kind is inspect.Parameter.VAR_KEYWORD}
    if unknown:
        raise GraphError(f"task {made.label!r}: ignore names {sorted(unknown)}, which are no arguments of it.")


@overload
def task(
    fn: Callable[P, R],
    /,
    *,
    nout: int = 1,
    version: object = None,
    ignore: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> Task[P, R]: ...
@overload
def task(
    fn: None = None,
    /,
    *,
    nout: int = 1,
    version: object = None,
    ignore: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    fn: Callable[P, R] | None = None,
    /,
    *,
    nout: int = 1,
    version: object = None,
    ignore: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task: calling it makes a `Node` and runs nothing.

    Parameters
    ----------
    fn : callable
        A function, lambda, method of a frozen class, ``functools.partial`` or builtin.
    nout : int
        How many values the result unpacks into; part of the key.
    version : object
        Stands for the function's fingerprint: the way out where it has none, or where its code
        should not count.  Part of the key.
    ignore : tuple of str
        Arguments left out of the key, such as ``("n_jobs",)``; they may hold no node.
    **options
        ``retries=0, retry_on=(Exception,), timeout=None`` (seconds), ``num_cpus=1, num_gpus=0,
        memory=None`` (bytes or ``"2GB"``), ``resources={}, persist="auto", deterministic=True``,
        ``runtime_env=None, max_retries=None`` and, for engines, ``priority, workers, scheduling_strategy``;
        never part of the key.

    Returns
    -------
    Task
        The plain function stays at its ``.fn``.

    Raises
    ------
    GraphError
        For an unknown option, a value that makes no sense, or something that is no function.

    Examples
    --------
    >>> import dualdag as dag
    >>> @dag.task
    ... def add(x, y):
    ...     return x + y
    >>> add(1, y=2).key == add(1, 2).key
    True
    """

    def make(target: Any) -> Task[P, R]:
        if isinstance(target, Task):
            given = {"nout": (nout, 1), "version": (version, None), "ignore": (ignore, ())}
            return target.options(**{k: new for k, (new, default) in given.items() if new != default}, **options)
        if not callable(target):
            raise GraphError(f"dag.task takes a function, not {target!r}.")
        label = getattr(_unwrap(target), "__name__", type(target).__name__)
        where = f"task {label!r} ({caller_site(1)})"
        if isinstance(nout, bool) or not isinstance(nout, int) or nout < 1:
            raise GraphError(f"{where}: nout={nout!r} makes no sense; it takes a whole number from 1.")
        names = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        return Task(target, check_options(options, where), nout, version, names)

    return make if fn is None else make(fn)


_getitem: Task[Any, Any] = Task(operator.getitem, {}, 1, 1, ())


def getitem(node: Node[Any], item: Any) -> Node[Any]:
    """Return the node of ``node[item]``."""
    return _getitem(node, item)
