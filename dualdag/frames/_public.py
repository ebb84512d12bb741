"""What each public name of pandas is, seen through `dualdag.pandas`."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

from dualdag.frames._construct import lazily
from dualdag.frames._functions import function
from dualdag.frames._run import plain
from dualdag.frames._steps import read_out
from dualdag.frames._types import INDEXES, DataFrame, Series
from dualdag.frames._words import words
from dualdag.graph import nodes_in, running_task

__all__ = ["names", "public_name"]

_CLASSES: dict[str, Any] = {"DataFrame": DataFrame, "Series": Series, **INDEXES}
# Functions about this process, whatever they are given.
_OWN = words(
    "array col describe_option get_option option_context reset_option set_eng_float_format set_option "
    "show_versions test"
)


def names() -> list[str]:
    """Return the public names of pandas."""
    import pandas as pd

    return sorted({*pd.__all__, *(n for n in dir(pd) if not n.startswith("_"))})


def public_name(name: str) -> Any:
    """Return what ``dualdag.pandas.name`` is here and now: pandas's own while a task runs.

    Parameters
    ----------
    name : str
        A public name of pandas.

    Raises
    ------
    AttributeError
        When pandas has no such name.
    """
    import pandas as pd

    own = getattr(pd, name)
    if running_task() is not None:
        return own
    if name in _CLASSES:
        return _CLASSES[name]
    if isinstance(own, ModuleType):
        return Submodule(own)
    if inspect.isfunction(own) and name not in _OWN:
        return function(name)
    return Computing(own) if name == "array" else own


class Submodule:
    """A module below pandas, whose functions take lazy objects and compute them.

    Parameters
    ----------
    module : module
        Pandas's own.
    """

    __slots__ = ("_module",)

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._module, name)
        if running_task() is not None or name.startswith("_"):
            return own
        if isinstance(own, ModuleType) and own.__name__.startswith("pandas."):
            return Submodule(own)
        return Computing(own) if inspect.isfunction(own) else own

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_module":
            object.__setattr__(self, name, value)
        else:
            setattr(self._module, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._module)

    def __repr__(self) -> str:
        return repr(self._module)


class Computing:
    """A function of pandas that gives plain answers: lazy arguments are computed for it.

    Parameters
    ----------
    own : callable
        Pandas's own.
    """

    __slots__ = ("_own",)

    def __init__(self, own: Any) -> None:
        self._own = own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(read_out(one) for one in args)
        if running_task() is not None or not nodes_in((args, kwargs)):
            return self._own(*args, **kwargs)
        return lazily(self._own(*plain(args), **plain(kwargs)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return str(self._own.__doc__)

    def __repr__(self) -> str:
        return repr(self._own)
