"""Options of a node: what is not identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from dualdag.config import parse_bytes
from dualdag.errors import GraphError, did_you_mean

__all__ = ["DEFAULTS", "Options", "check_options"]


class Options(TypedDict, total=False):
    """Options as users write them."""

    retries: int
    retry_on: type[BaseException] | list[type[BaseException]] | tuple[type[BaseException], ...]
    timeout: float | None
    num_cpus: float
    num_gpus: float
    memory: int | str | None
    resources: Mapping[str, float]
    persist: bool | Literal["auto"]
    deterministic: bool
    priority: float
    max_retries: int | None
    runtime_env: Mapping[str, Any] | None
    scheduling_strategy: Any
    workers: str | list[str] | tuple[str, ...] | None


DEFAULTS: dict[str, Any] = {
    "retries": 0,
    "retry_on": (Exception,),
    "timeout": None,
    "num_cpus": 1,
    "num_gpus": 0,
    "memory": None,
    "resources": {},
    "persist": "auto",
    "deterministic": True,
    "priority": 0,
    "max_retries": None,
    "runtime_env": None,
    "scheduling_strategy": None,
    "workers": None,
}


def _number(value: object, *, low: float = 0) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value < float("inf")


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _runtime_env(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        return False
    variables = value.get("env_vars", {})
    return isinstance(variables, Mapping) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in variables.items()
    )


def _retry_on(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(c, type) and issubclass(c, BaseException) for c in value)


def _resources(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and _number(v) for k, v in value.items())


_CHECKS: dict[str, tuple[Any, str]] = {
    "retries": (_count, "a whole number from 0"),
    "retry_on": (_retry_on, "a tuple of exception classes"),
    "timeout": (lambda v: v is None or (_number(v) and v > 0), "seconds above 0, or None"),
    "num_cpus": (_number, "a number from 0"),
    "num_gpus": (_number, "a number from 0"),
    "memory": (lambda v: v is None or parse_bytes(v) is not None, 'bytes, or text such as "2GB"'),
    "resources": (_resources, "a dict of names and numbers"),
    "persist": (lambda v: v is True or v is False or v == "auto", '"auto", True or False'),
    "deterministic": (lambda v: isinstance(v, bool), "True or False"),
    "priority": (lambda v: _number(v, low=float("-inf")) and v > float("-inf"), "a number; higher goes first"),
    "max_retries": (lambda v: v is None or _count(v), "a whole number from 0, or None"),
    "runtime_env": (_runtime_env, 'a dict as Ray takes it, such as {"env_vars": {"NAME": "text"}}'),
    "scheduling_strategy": (
        lambda v: not isinstance(v, str) or v in {"DEFAULT", "SPREAD"},
        '"DEFAULT", "SPREAD", or an object of ray.util.scheduling_strategies',
    ),
    "workers": (
        lambda v: v is None or (isinstance(v, tuple) and v and all(isinstance(w, str) for w in v)),
        "names or addresses of Dask workers",
    ),
}


def check_options(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return `options` normalised, or raise GraphError for the first that makes no sense.

    Parameters
    ----------
    options : mapping
        Names and values as the user gave them.
    where : str
        What they were given to, for the message.
    """
    out: dict[str, Any] = {}
    for name, given in options.items():
        if name not in _CHECKS:
            raise GraphError(f"{where}: there is no option {name!r}.{did_you_mean(name, _CHECKS)}")
        value = given
        if name == "retry_on":
            value = (given,) if isinstance(given, type) else tuple(given) if isinstance(given, list) else given
        if name == "workers":
            value = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given
        check, wanted = _CHECKS[name]
        if not check(value):
            raise GraphError(f"{where}: {name}={given!r} makes no sense; it takes {wanted}.")
        if name == "memory" and value is not None:
            value = parse_bytes(value)
        out[name] = dict(value) if name in {"resources", "runtime_env"} and value is not None else value
    return out
