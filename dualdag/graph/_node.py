"""The one immutable node of the one graph."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, Unpack

from dualdag.errors import GraphError
from dualdag.graph._cadence import Cadence, parse_cadence
from dualdag.graph._names import validate_name
from dualdag.graph._op import Op
from dualdag.graph._options import Options, check_options
from dualdag.graph._scope import note_artifact
from dualdag.graph._site import Site, caller_site
from dualdag.hashing import combine, hash_key

if TYPE_CHECKING:
    from dualdag._api import RunOptions

__all__ = ["NO_EXTRA", "ArtifactSpec", "Extra", "Node", "assemble", "make_node"]

R = TypeVar("R", covariant=True)


@dataclass(frozen=True, slots=True)
class ArtifactSpec:
    """Name and cadence of an artifact, and the line that gave them."""

    name: str
    cadence: Cadence
    site: Site = field(compare=False)


@dataclass(frozen=True, slots=True)
class Extra:
    """What few nodes have: names, artifacts, options of their own, nodes to run after.

    Parameters
    ----------
    names : tuple of str
        Given by ``.named``.
    artifacts : tuple of ArtifactSpec
        Given by ``.artifact``.
    options : mapping
        Set by ``.options``, normalised.
    options_site : Site or None
        The line that set them.
    after : int
        How many of the last inputs are there for their order only.
    """

    names: tuple[str, ...] = ()
    artifacts: tuple[ArtifactSpec, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    options_site: Site | None = None
    after: int = 0


#: What most nodes have.
NO_EXTRA = Extra()
_LABEL = re.compile(r"[^A-Za-z0-9_.]+")


@functools.lru_cache(1024)
def _readable(label: str) -> str:
    return _LABEL.sub("_", label).strip("_") or "node"


class _Slots:
    # Filled as plain attributes, then turned into a Node by assigning __class__: writing through
    # object.__setattr__ would cost more than all the rest of making a node.
    __slots__ = ("__weakref__", "_args", "_extra", "_inputs", "_key", "_kwargs", "_op", "_own", "_site")
    _key: bytes
    _op: Op
    _args: tuple[Any, ...]
    _kwargs: dict[str, Any] | None
    _inputs: tuple[Node[Any], ...]
    _own: bytes
    _site: Site
    _extra: Extra | None


class Node(_Slots, Generic[R]):
    """A step of the graph: a function and its arguments, or an input.

    Nodes are made by calling tasks, by `dualdag.file` and friends, and by chains of
    `dualdag.pandas`; never by hand.  A node is frozen, equal to every node of the same key, and
    holds no value: `compute` or `dualdag.run` give it.  As a node can only take nodes that exist
    already, a graph has no cycles.
    """

    __slots__ = ()

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("a Node is made by calling a task, or by dag.file, dag.files or dag.value.")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} is frozen: .named(), .options() and .artifact() return a new node.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self!r} is frozen: nothing can be taken from it.")

    @property
    def key(self) -> str:
        """The derivation: readable name and 40 hexadecimal digits."""
        return f"{_readable(self._op.label)}-{self._key.hex()}"

    @property
    def own(self) -> bytes:
        """Hash of the function and the arguments without the inputs, 20 bytes."""
        return self._own

    @property
    def op(self) -> Op:
        """What the node does."""
        return self._op

    @property
    def fn(self) -> Callable[..., Any] | None:
        """The plain function, or None for an input."""
        return self._op.fn

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments, with nodes where their values will stand."""
        return self._args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Keyword arguments, with nodes where their values will stand."""
        return self._kwargs or {}

    @property
    def inputs(self) -> tuple[Node[Any], ...]:
        """The nodes among the arguments, as often and in the order in which they stand there."""
        return self._inputs

    @property
    def site(self) -> Site:
        """The line that made the node."""
        return self._site

    @property
    def extra(self) -> Extra:
        """Names, artifacts and options of this node."""
        return self._extra or NO_EXTRA

    @property
    def name(self) -> str | None:
        """The artifact's name, else the last given by `named`, else None."""
        extra = self.extra
        if extra.artifacts:
            return extra.artifacts[-1].name
        return extra.names[-1] if extra.names else None

    @property
    def label(self) -> str:
        """The name if there is one, else the function's or input's."""
        return self.name or self._op.label

    def named(self, name: str) -> Node[R]:
        """Return this node with a name that ``refresh=`` and pictures know it by.

        Parameters
        ----------
        name : str
            Any line of text up to 200 characters; ``"all"`` is taken.

        Raises
        ------
        GraphError
            When it is none.
        """
        if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable() or name == "all":
            raise GraphError(f".named({name!r}): a name is one line of 1 to 200 printable characters, and not 'all'.")
        old = self.extra
        return self._with(Extra((*old.names, name), old.artifacts, old.options, old.options_site, old.after))

    def options(self, **options: Unpack[Options]) -> Node[R]:
        """Return this node with other options; they never change its key.

        Parameters
        ----------
        **options
            ``retries, retry_on, timeout, num_cpus, num_gpus, memory, resources, persist, deterministic``
            as for `dualdag.task`.

        Raises
        ------
        GraphError
            For an unknown option or a value that makes no sense.
        """
        checked = check_options(options, f"{self.label} ({self._site})")
        old = self.extra
        new = Extra(old.names, old.artifacts, {**old.options, **checked}, caller_site(), old.after)
        _check_persist(self, new)
        return self._with(new)

    def artifact(self, name: str, cadence: str | None = None, tz: str | None = None) -> Node[R]:
        """Return this node as an artifact: its value has a name in the store.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``-`` and ``.``.
        cadence : str or None
            How often it may be made again: None (on any change), an interval (``"1h"``, ``"7d"``),
            five cron fields, ``"manual"`` or ``"frozen"``.
        tz : str or None
            IANA zone of the cron fields; None takes ``DUALDAG_TZ``, else UTC.

        Raises
        ------
        GraphError
            For a name that can't be one, or ``persist=False``.
        ConfigError
            For a cadence or zone that is not understood.
        """
        from dualdag import config

        validate_name(name)
        spec = ArtifactSpec(name, parse_cadence(cadence, tz or config.settings().tz), caller_site())
        old = self.extra
        kept = tuple(a for a in old.artifacts if a.name != name)
        new = Extra(old.names, (*kept, spec), old.options, old.options_site, old.after)
        _check_persist(self, new)
        node = self._with(new)
        note_artifact(node)
        return node

    def after(self, *nodes: Node[Any]) -> Node[R]:
        """Return this node made to run after others; their keys enter its key.

        Parameters
        ----------
        *nodes : Node
            What must have run before; their values are not passed.
        """
        others = tuple(_as_node(n, "after") for n in nodes)
        if not others:
            return self
        old = self.extra
        own = hash_key(b"after", self._own, len(others).to_bytes(4, "big"))
        inputs = self._inputs + others
        new = Extra(old.names, old.artifacts, old.options, old.options_site, old.after + len(others))
        return make_node(self._op, self._args, self._kwargs, inputs, own, self._site, new)

    def compute(self, **run_options: Unpack[RunOptions]) -> R:
        """Run what this node needs and return its value; options as for `dualdag.run`."""
        from dualdag import _api

        value: R = _api.run(self, **run_options)
        return value

    def _with(self, extra: Extra) -> Node[R]:
        return assemble(self._op, self._args, self._kwargs, self._inputs, self._own, self._key, self._site, extra)

    def __dualdag_node__(self) -> Node[R]:
        return self

    def __getitem__(self, item: Any) -> Node[Any]:
        from dualdag.graph._task import getitem

        return getitem(self, item)

    def __iter__(self) -> Iterator[Node[Any]]:
        if self._op.nout < 2:
            raise GraphError(
                f"{self!r} can't be iterated before it is run: run it first (.compute()), "
                "or say how many values it has with @dag.task(nout=...)."
            )
        return iter([self[k] for k in range(self._op.nout)])

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Node) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __len__(self) -> int:
        # list(node) and f(*node) ask for it before they iterate.
        return self._op.nout if self._op.nout > 1 else self._no_value()

    def _no_value(self, *_: object) -> NoReturn:
        raise GraphError(
            f"{self!r} has no value yet, so it has no truth, length or order: "
            "run it first (.compute() or dag.run), or do this inside a task."
        )

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _no_value
    __float__ = __int__ = __index__ = _no_value

    def __repr__(self) -> str:
        return f"<Node {self.label} {self._key.hex()[:10]} at {self._site}>"

    def __copy__(self) -> Node[R]:
        return self

    def __deepcopy__(self, memo: object) -> Node[R]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from dualdag.graph._pickle import flatten, rebuild

        return rebuild, (flatten(self),)


def _as_node(obj: object, what: str) -> Node[Any]:
    convert = getattr(type(obj), "__dualdag_node__", None)
    if convert is None:
        raise GraphError(f".{what}() takes nodes, not a {type(obj).__name__}.")
    node: Node[Any] = convert(obj)
    return node


def _check_persist(node: Node[Any], extra: Extra) -> None:
    persist = extra.options.get("persist", node._op.options.get("persist"))
    if extra.artifacts and persist is False:
        spec = extra.artifacts[-1]
        raise GraphError(
            f"artifact {spec.name!r} ({spec.site}) has persist=False: an artifact is always kept. "
            "Leave out persist=False, or use .named() instead of .artifact()."
        )


def assemble(
    op: Op,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    inputs: tuple[Node[Any], ...],
    own: bytes,
    key: bytes,
    site: Site,
    extra: Extra | None,
) -> Node[Any]:
    """Return a node of parts that are known to fit."""
    node = _Slots()
    node._op = op
    node._args = args
    node._kwargs = kwargs
    node._inputs = inputs
    node._own = own
    node._key = key
    node._site = site
    node._extra = extra
    node.__class__ = Node
    return node  # type: ignore[return-value]


def make_node(
    op: Op,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    inputs: tuple[Node[Any], ...],
    own: bytes,
    site: Site,
    extra: Extra | None = None,
) -> Node[Any]:
    """Return the node of `own` identity over `inputs`; its key is made here."""
    return assemble(op, args, kwargs, inputs, own, combine(own, [n._key for n in inputs]), site, extra)
