"""Inputs of a graph: files, literals, parameters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, time
from typing import Any, TypeVar, cast

from dualdag.errors import ConfigError, GraphError, did_you_mean
from dualdag.graph._node import Node, make_node
from dualdag.graph._op import Op
from dualdag.graph._scope import outside_tasks
from dualdag.graph._site import caller_site
from dualdag.hashing import digest_value, hash_key, is_text

__all__ = ["asked_params", "file", "files", "param", "params", "resolve_url", "value"]

T = TypeVar("T")

_FILE = Op("file", "file", hash_key(b"file"))
_FILES = Op("files", "files", hash_key(b"files"))
_VALUE = Op("value", "value", hash_key(b"value"))


def _url(url: object, what: str) -> str:
    if not isinstance(url, (str, os.PathLike)):
        raise GraphError(f"{what} takes a path or URL, not {url!r}.")
    text = os.fspath(url)
    if not isinstance(text, str) or not text or "\0" in text:
        raise GraphError(f"{what}: {url!r} is not a path or URL.")
    if not is_text(resolve_url(text)):
        raise GraphError(f"{what}: {resolve_url(text)!r} is no UTF-8 text, which records are written in: rename it.")
    return text


def resolve_url(url: str) -> str:
    """Return a URL that means the same file whatever the working folder becomes later."""
    return url if "://" in url else os.path.abspath(os.path.expanduser(url))  # noqa: PTH100, PTH111


def file(url: str | os.PathLike[str]) -> Node[str]:
    """Return an input that is known by its content; the task receives its path.

    Parameters
    ----------
    url : str or path
        A local path, or any fsspec URL.

    Returns
    -------
    Node
        Its value is the absolute path, or the URL as given.

    Raises
    ------
    GraphError
        For what is no path and no URL.  A file that is not there is told of by the plan.

    Examples
    --------
    >>> import dualdag as dag
    >>> dag.file("data/sales.csv").label
    'data/sales.csv'
    """
    text = _url(url, "dag.file")
    own = hash_key(b"file", text.replace(os.sep, "/").encode())
    op = Op("file", text, _FILE.prefix)
    return make_node(op, (resolve_url(text),), None, (), own, caller_site())


def files(glob: str | os.PathLike[str]) -> Node[list[str]]:
    """Return a sorted list of files as one input, known by their names and contents.

    Parameters
    ----------
    glob : str or path
        A pattern of a local path or of any fsspec URL; ``**`` looks into folders.

    Returns
    -------
    Node
        Its value is the list of paths, each as `file` gives one.

    Raises
    ------
    GraphError
        For what is no path and no URL.

    Examples
    --------
    >>> import dualdag as dag
    >>> @dag.task
    ... def count(paths):
    ...     return len(paths)
    >>> count(dag.files("data/*.csv")).inputs[0].label
    'data/*.csv'
    """
    text = _url(glob, "dag.files")
    own = hash_key(b"files", text.replace(os.sep, "/").encode())
    op = Op("files", text, _FILES.prefix)
    return make_node(op, (resolve_url(text),), None, (), own, caller_site())


def value(obj: T, name: str | None = None) -> Node[T]:
    """Return a literal as a node, hashed by its content.

    Parameters
    ----------
    obj : object
        Anything with a content; it must not be changed afterwards.
    name : str or None
        A name, as for ``.named``.

    Returns
    -------
    Node
        Its value is `obj`.

    Raises
    ------
    CodecError
        For what has no content to hash, such as a generator.

    Examples
    --------
    >>> import dualdag as dag
    >>> dag.value([1, 2]) == dag.value([1, 2], name="pair")
    True
    """
    from dualdag.graph._containers import snapshot

    digest = digest_value(obj)
    own = hash_key(b"value", digest)
    node = make_node(_VALUE, (snapshot(obj), digest), None, (), own, caller_site())
    return cast("Node[T]", node.named(name) if name is not None else node)


class Raw(str):
    """A parameter's value as text from a command line, to be read as the type the flow asks for."""

    __slots__ = ()


class _Given:
    __slots__ = ("used", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.used: set[str] = set()


_given: ContextVar[tuple[_Given, ...]] = ContextVar("dualdag_params", default=())


#: Every parameter that was asked for in this process, and what the answer was; told of, never used.
_asked: dict[str, str] = {}
_MOST_ASKED = 1000


def asked_params() -> dict[str, str]:
    """Return the parameters that were asked for in this process, with their last values as text."""
    return dict(_asked)


def _note(name: str, value: T) -> T:
    import reprlib

    if len(_asked) < _MOST_ASKED or name in _asked:
        _asked[name] = reprlib.repr(value)
    return value


@contextmanager
def params(_check: bool = True, /, **values: Any) -> Iterator[None]:
    """Set parameters for the graph that is built in the block.

    Parameters
    ----------
    **values
        Names and values; one that no `param` of the block asked for is an error at its end.

    Raises
    ------
    ConfigError
        At the end of the block, for a name that was not asked for.

    Examples
    --------
    >>> import dualdag as dag
    >>> with dag.params(days=3):
    ...     dag.param("days", 7)
    3
    """
    given = _Given(values)
    seen = _Given({})
    token = _given.set((*_given.get(), seen, given))
    try:
        yield
    finally:
        _given.reset(token)
    unused = set(values) - given.used
    if unused and _check:
        name = min(unused)
        raise ConfigError(f"no dag.param({name!r}) was asked for.{did_you_mean(name, seen.used | given.used)}")


def param(name: str, default: T, type: type[T] | None = None) -> T:
    """Return a build-time parameter: a plain value, so that keys follow it.

    Parameters
    ----------
    name : str
        Set by ``--param name=value`` or ``with dag.params(name=value):``.
    default : object
        The value where nothing sets it.
    type : type or None
        What it must be; None takes the default's type.

    Returns
    -------
    object
        What was set, read as that type; else `default`.

    Raises
    ------
    ConfigError
        When what was given is of another type.

    Examples
    --------
    >>> import dualdag as dag
    >>> with dag.params(days=3):
    ...     dag.param("days", 7)
    3
    """
    outside_tasks("dag.param")
    type = _class(name, type)
    wanted = type if type is not None else (default.__class__ if default is not None else None)
    for given in reversed(_given.get()):
        given.used.add(name)
    for given in reversed(_given.get()):
        if name in given.values:
            return _note(name, cast("T", _read(name, given.values[name], wanted)))
    if type is not None and default is not None and not _fits(default, type):
        raise ConfigError(f"dag.param({name!r}): the default {default!r} is no {type.__name__}.")
    return _note(name, default)


def _class(name: str, given: Any) -> Any:
    """Return the class that was asked for, `list` for ``list[int]``."""
    found = getattr(given, "__origin__", given)
    if found is not None and not isinstance(found, type):
        raise ConfigError(f"dag.param({name!r}): type={given!r} is no class: use one such as int, str or list.")
    return found


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool) and wanted is not bool:
        return wanted is object
    return isinstance(value, wanted) or (wanted is float and isinstance(value, int))


def _read(name: str, value: Any, wanted: type | None) -> Any:
    if wanted is None:
        return str(value) if isinstance(value, Raw) else value
    if isinstance(value, Raw):
        try:
            return _parse(str(value), wanted)
        except (ValueError, TypeError, SyntaxError) as error:
            message = f"--param {name}={value}: {str(value)!r} can't be read as {wanted.__name__}."
            raise ConfigError(message) from error
    if not _fits(value, wanted):
        given = value.__class__.__name__
        raise ConfigError(f"param {name}={value!r} is a {given}, but it must be a {wanted.__name__}.")
    return float(value) if wanted is float else value


def _parse(text: str, wanted: type) -> Any:
    if wanted is bool:
        known = {"true": True, "yes": True, "1": True, "on": True}
        known |= {"false": False, "no": False, "0": False, "off": False}
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]
    if wanted in (list, tuple, dict, set):
        import ast

        value = ast.literal_eval(text)
        if not isinstance(value, wanted):
            raise ValueError(text)
        return value
    make: Any = wanted.fromisoformat if issubclass(wanted, (date, time)) else wanted  # a datetime is a date
    return make(text)
