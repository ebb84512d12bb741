"""Jobs as bytes: the one place that pickles what leaves the process, and the one function that engines call.

Functions travel by reference where the worker can import them, else by value.  What arrived is compared
with what was hashed: a worker that has another version of a module loaded says so, and the function is
sent again by value.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, DualdagError
from dualdag.execution._blame import unsendable, warn_if_heavy
from dualdag.execution._by_value import importable, pickled_by_value, project_modules
from dualdag.execution._bytes import ATOMS, dump_value
from dualdag.execution._classes import pack_classes, teach_classes
from dualdag.execution._copies import own_copy
from dualdag.execution._environment import environment_of, variables
from dualdag.execution._failures import describe
from dualdag.execution._protocol import Handle, Job, Literal, Outcome, Step
from dualdag.execution._shared import Shared
from dualdag.execution._work import InputMissingError, perform, rests_on
from dualdag.graph import Node, map_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from dualdag.execution._work import Take
    from dualdag.store import Store

__all__ = [
    "Packer",
    "Place",
    "Slot",
    "arrive",
    "carry_out",
    "place_of",
    "run_job",
]

#: Literals and functions of more bytes than this are passed once a run, not with each job.
LARGE = 100_000
_TEXT = (str, bytes)


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker has to know of a run.

    Parameters
    ----------
    store : Store
        Where inputs are loaded from and results published.
    local : bool
        Whether the store is on the worker's machine.
    folder : str
        The driver's working folder; empty where workers are elsewhere.
    paths : tuple of str
        The driver's ``sys.path``.
    private : bool
        Whether values that are passed belong to the job alone, so that it may change them.
    reach : bool
        Whether workers see what is in the store; if not, stored values are passed too.
    environments : bool
        Whether a node's environment variables are set by the worker; if not, the engine does it.
    """

    store: Store | None
    local: bool = True
    folder: str = ""
    paths: tuple[str, ...] = ()
    private: bool = True
    reach: bool = True
    environments: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands in arguments for the value of an input."""

    _key: int

    def __dualdag_node__(self) -> Slot:
        return self

    def __reduce__(self) -> tuple[type[Slot], tuple[int]]:
        return Slot, (self._key,)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A function as bytes."""

    name: bytes
    data: bytes
    digest: bytes | None


@dataclass(slots=True)
class Packer:
    """Turns the jobs of one run into bytes.

    Parameters
    ----------
    place : Place
        Told to every worker.
    shared : Shared
        Large literals, which are passed like values of other jobs.
    """

    place: Place
    shared: Shared = field(default_factory=lambda: Shared(LARGE))
    _place: bytes = b""
    _functions: dict[int, tuple[Callable[..., Any], _Sent]] = field(default_factory=dict)
    _by_value: set[str] = field(default_factory=set)

    def pack(self, job: Job) -> tuple[bytes, list[Handle]]:
        """Return a job as bytes, and the values that have to be passed with it, in that order.

        Parameters
        ----------
        job : Job
            What to run.

        Raises
        ------
        CodecError
            When an argument can't be pickled; it names the node.
        """
        if not self._place:
            self._place = dump_value((self.place, pack_classes()))
        made = {step.id for step in job.steps}
        reach = self.place.reach
        handles: dict[int, Handle] = {}
        for step in job.steps:
            for given in step.inputs:
                if type(given) is Handle and given.id not in made and (given.checksum is None or not reach):
                    handles[given.id] = given
        taken: Counter[int] = Counter()
        rows = [self._row(step, handles, taken) for step in job.steps]
        often = frozenset([number for number, count in taken.items() if count > 1])
        settings = environment_of(job.resources) if self.place.environments else {}
        return pickle.dumps((self._place, tuple(handles), often, settings, rows), protocol=5), list(handles.values())

    def send_by_value(self, step: Step) -> bool:
        """Send a step's function by value from now on; return False where it was sent so already.

        Parameters
        ----------
        step : Step
            Whose function a worker could not find, or found to be another.
        """
        modules = project_modules(step.fn, step.fingerprint)
        new = {module.__name__ for module in modules} - self._by_value
        self._by_value |= new
        self._functions.clear()
        return bool(new)

    def _row(self, step: Step, handles: dict[int, Handle], taken: Counter[int]) -> tuple[Any, ...]:
        places = {name: Slot(k) for k, name in enumerate(step.names)}
        args, kwargs = step.args, step.kwargs
        if places and not kwargs and all(type(a) is Node or type(a) in ATOMS for a in args):
            args = tuple([places[a._key] if type(a) is Node else a for a in args])
        elif places:
            args = map_nodes(args, lambda node: places[node._key])
            kwargs = map_nodes(dict(kwargs), lambda node: places[node._key]) if kwargs else kwargs
        inputs = list(step.inputs)
        try:
            sent = self._sent(step)
            fn: bytes | Handle = sent.data
            if len(sent.data) >= self.shared.limit:
                fn = self._passed(sent.data, handles)
            if not _light(args, kwargs, inputs):
                args, kwargs, inputs = self._take_out(args, kwargs, inputs, handles)
            body = (args, kwargs, tuple(inputs))
            # What is not plain has bytes of its own: where it can't be unpickled only this step fails.
            data = body if _light(args, kwargs, inputs) else dump_value(body)
            retry_on = b"" if step.retry_on == (Exception,) else dump_value(step.retry_on)
        except Exception as error:
            raise unsendable(step, error) from error
        taken.update([given.id for given in inputs if type(given) is Handle])
        return (step.id, step.label, str(step.site), sent.name, fn, sent.digest, data, len(inputs),
                step.nout, step.keep, step.publish, tuple(step.files), retry_on, step.hold)  # fmt: skip

    def _passed(self, value: Any, handles: dict[int, Handle]) -> Handle:
        """Let a large value be passed with the job, as others of the run take it too."""
        handle = self.shared.handle(value)
        if handle.checksum is None:
            handles[handle.id] = handle
        return handle

    def _take_out(self, args: Any, kwargs: Any, inputs: list[Any], handles: dict[int, Handle]) -> tuple[Any, Any, Any]:
        """Return arguments and inputs with handles in place of large literals."""
        inputs = [
            self._passed(given.value, handles) if type(given) is Literal and self.shared.worth(given.value) else given
            for given in inputs
        ]

        def stand(value: Any) -> Any:
            if type(value) is Slot or not self.shared.worth(value):
                return value
            inputs.append(self._passed(value, handles))
            return Slot(len(inputs) - 1)

        args = tuple([stand(value) for value in args])
        return args, {name: stand(value) for name, value in kwargs.items()} if kwargs else kwargs, inputs

    def _sent(self, step: Step) -> _Sent:
        known = self._functions.get(id(step.fn))
        if known is None:
            modules = project_modules(step.fn, step.fingerprint)
            away = [m for m in modules if m.__name__ in self._by_value or not importable(m)]
            with pickled_by_value(away):
                data = dump_value(step.fn)
            # What is sent by value is what was hashed; a reference is compared on arrival.
            expected = step.fingerprint.digest if step.fingerprint is not None else None
            by_value = bool(modules) and len(away) == len(modules)
            sent = _Sent(blake2b(data, digest_size=16).digest(), data, None if by_value else expected)
            warn_if_heavy(step, sent.name, len(data))
            known = self._functions[id(step.fn)] = (step.fn, sent)
        return known[1]


def _light(args: tuple[Any, ...], kwargs: Any, inputs: Sequence[Handle | Literal]) -> bool:
    """Return whether there is nothing but small and plain values, which need no cloudpickle."""
    return not kwargs and all(map(_small, args)) and all(type(i) is Handle or _small(i.value) for i in inputs)  # type: ignore[union-attr]


def _small(value: Any) -> bool:
    kind = type(value)
    return kind is Slot or (kind in ATOMS and not (kind in _TEXT and len(value) >= LARGE))


# What follows runs in workers.

_places: dict[bytes, Place] = {}
_functions: dict[tuple[bytes, bytes | None], tuple[Any, bool]] = {}
_MANY = 2000


def run_job(payload: bytes, values: Sequence[Any] = (), own: Collection[int] = ()) -> tuple[bytes, list[Any]]:
    """Run a job where it arrived.  This is the one function that an engine calls.

    Parameters
    ----------
    payload : bytes
        Made by `Packer.pack`.
    values : sequence
        The values it asked for.
    own : collection of int
        Positions of those that nobody else has, where the run's values are not private as a rule.

    Returns
    -------
    tuple of bytes and list
        A list of Outcome, pickled, with failures as data; and the value of each step, None where
        there is none or where the store has it.
    """
    data, ids, often, settings, rows = pickle.loads(payload)
    given = dict(zip(ids, values, strict=True))
    outcomes, left = carry_out(data, given, often, settings, rows, {ids[k] for k in own})
    return pickle.dumps(outcomes, protocol=5), left


def carry_out(
    data: bytes,
    given: Mapping[int, Any],
    often: Collection[int],
    settings: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
    own: Collection[int] = (),
) -> tuple[list[Outcome], list[Any]]:
    """Run a job that is unpickled already; as `run_job`, but for the outcomes, which are not pickled."""
    outcomes: list[Outcome] = []
    made: dict[int, Any] = {}
    try:
        place = arrive(data)
    except Exception as error:  # noqa: BLE001 - told as data
        failed = [Outcome(row[0], "failed", error=describe(error)) for row in rows]
        return failed, [None] * len(rows)

    def take(handle: Handle, copy: bool) -> Any:
        if handle.id in made:
            return own_copy(made[handle.id]) if copy else made[handle.id]
        if handle.id in given:
            if copy and (handle.id in often or not (place.private or handle.id in own)):
                return own_copy(given[handle.id])
            return given[handle.id]
        return _from_store(handle, place)

    broken: set[int] = set()
    for row in rows:
        with variables(settings):
            outcome, value = _run_row(row, take, place, broken)
        if outcome.status != "done":
            broken.add(outcome.id)
        if outcome.error is not None and isinstance(outcome.error, BaseException):
            outcome.error = describe(outcome.error)
        outcomes.append(outcome)
        made[outcome.id] = value
    left = [made[o.id] if row[-1] and o.checksum is None else None for o, row in zip(outcomes, rows, strict=True)]
    return outcomes, left


def place_of(payload: bytes) -> Place:
    """Return what a worker was told of the run that a job belongs to.

    Parameters
    ----------
    payload : bytes
        Made by `Packer.pack`.
    """
    data, *_ = pickle.loads(payload)
    return arrive(data)


def arrive(data: bytes) -> Place:
    """Make this process what the run expects of it: its folder, its import path, its classes."""
    place = _places.get(data)
    if place is None:
        place, classes = pickle.loads(data)
        teach_classes(classes)
        while len(_places) >= 8:
            old = _places.pop(next(iter(_places)))
            if old.store is not None:
                old.store.close()
        _places[data] = place
    if place.folder and Path.cwd() != Path(place.folder):
        os.chdir(place.folder)
    if place.paths and tuple(sys.path) != place.paths:
        sys.path[:] = place.paths
    return place


def _from_store(handle: Handle, place: Place) -> Any:
    if handle.checksum is None or place.store is None:
        raise InputMissingError(handle, LookupError(f"value {handle.id} was not passed"))
    try:
        return place.store.load(handle.checksum, handle.codec)
    except DualdagError as error:
        raise InputMissingError(handle, error) from error


def _run_row(row: tuple[Any, ...], take: Take, place: Place, broken: set[int]) -> tuple[Outcome, Any]:
    number, label, site, name, data, digest, body, count, nout, keep, publish, files, retry_on, _ = row
    try:
        fn, fits = _function(name, data, digest, take)
    except Exception as error:  # noqa: BLE001 - unpickling imports the user's modules
        return Outcome(number, "stale", error=error), None
    if not fits:
        return Outcome(number, "stale"), None
    try:
        args, kwargs, inputs = pickle.loads(body) if isinstance(body, bytes) else body
        retried = pickle.loads(retry_on) if retry_on else (Exception,)
    except Exception as error:  # noqa: BLE001 - unpickling imports the user's modules
        error.add_note(f"while the arguments of {label!r} were unpickled in a worker")
        return Outcome(number, "failed", error=error), None
    if rests_on(inputs, broken):
        return Outcome(number, "skipped"), None
    step = Step(number, label, site, fn, args, kwargs, range(count), inputs, nout, keep, publish, files, retried)
    if place.store is None:
        raise CodecError("a place without a store runs nothing")
    return perform(step, take, place.store, local=place.local)


def _function(name: bytes, data: bytes | Handle, digest: bytes | None, take: Take) -> tuple[Any, bool]:
    # Equal bytes may refer to a module that has changed since: what they have to be counts too.
    known = _functions.get((name, digest))
    if known is None:
        fn = pickle.loads(take(data, False) if isinstance(data, Handle) else data)
        known = (fn, digest is None or _same(fn, digest))
        if len(_functions) >= _MANY:
            _functions.clear()
        _functions[name, digest] = known
    return known


def _same(fn: Any, digest: bytes) -> bool:
    from dualdag.errors import FingerprintError
    from dualdag.hashing import fingerprint

    try:
        return fingerprint(fn).digest == digest
    except FingerprintError:
        return False
