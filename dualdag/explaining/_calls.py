"""Steps as text, about as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualdag.explaining._cause import cut

if TYPE_CHECKING:
    from dualdag.explaining._making import Making, Step

__all__ = ["call_text", "function_name", "is_chain", "method_text", "same_methods"]


def call_text(made: Making, step: Step) -> str:
    """Return a step as a call, with its arguments; nodes by their labels.

    Parameters
    ----------
    made : Making
        Has it.
    step : Step
        A call.
    """
    if is_chain(step):
        return "".join([method_text(name, text) for name, text, _ in step.args])
    told = [cut(text, 40) if k else text[:60] for k, text in enumerate(_shown(step))]
    return f"{function_name(made, step)}({', '.join(told)})"


def is_chain(step: Step) -> bool:
    """Return whether a step is of a pandas chain: one method, or several that are carried out together."""
    return bool(step.args) and all(name.startswith(".") for name, _, _ in step.args)


def same_methods(one: Step, two: Step) -> bool:
    """Return whether two steps are of the same methods, if they are of pandas chains."""
    return not (is_chain(one) or is_chain(two)) or [arg[0] for arg in one.args] == [arg[0] for arg in two.args]


def function_name(made: Making, step: Step) -> str:
    """Return the name of a task's function; of one that is not known, the step's label."""
    functions = made.ops.get(step.op, ())
    return functions[0].name if functions and functions[0].is_code else step.label


def method_text(name: str, text: str) -> str:
    """Return a method of a pandas chain about as it was written.

    Examples
    --------
    >>> method_text(".head", "n=1")
    '.head(n=1)'
    """
    name = name.removeprefix(".")
    if name == "[]":
        return f"[{cut(text, 40)}]"
    if name.startswith("read"):
        return text.partition(",")[0].strip("'\"")
    last = name.rpartition(".")[2]
    return f".{last}({cut(text, 40)})" if last.isidentifier() else f"{name} {cut(text, 40)}"


def _shown(step: Step) -> list[str]:
    rows = [text if name.startswith(("argument ", "source")) else f"{name}={text}" for name, text, _ in step.args[:6]]
    return rows + ["..."] * (len(step.args) > 6)
