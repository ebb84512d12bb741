"""What differs between two makings: code, arguments, steps, files, artifacts, packages."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from dualdag.explaining._calls import same_methods
from dualdag.explaining._cause import Cause, file_text, place_text, unified
from dualdag.explaining._steps import compare_steps, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dualdag.explaining._making import Function, InputFile, Making, Step

__all__ = ["compare", "with_parameters"]

_ORDER = ("code", "global", "closure", "default", "attribute", "import", "task", "argument", "step", "input",
          "file", "artifact", "package", "python", "value")  # fmt: skip
#: Where a parameter can show.
_OWN = frozenset({"argument", "input", "global", "closure", "default"})


def compare(then: Making, now: Making, names: tuple[str, str] = ("then", "now")) -> list[Cause]:
    """Return what differs between two makings, code first.

    Parameters
    ----------
    then, now : Making
        The older one and the newer one.
    names : tuple of str
        What the two are called in diffs.
    """
    if then.problem and not then.functions:
        return []
    way = ways(now)
    found: list[Cause] = []
    tasks, steps = compare_steps(then, now, way)
    if then.full and now.full:
        for old, new, through in tasks:
            was, is_ = then.ops.get(old.op, ()), now.ops.get(new.op, ())
            if old.op != new.op and same_methods(old, new):
                changes = _functions(was, is_, through, names)
                found += changes or _packaged(then, now) or [_task(then, now, old.op, new.op, through)]
            used = _named(then, old), _named(now, new)
            if _digests(used[0]) != _digests(used[1]):
                found += _functions(*used, through, names)
    else:
        ends = (now.steps[0].label,) if now.steps else ()
        found += _functions(then.functions, now.functions, ends, names)
    found += steps
    found += _files(then, now, way)
    found += _artifacts(then, now, way)
    found += _packages(then, now, sure=not found)
    found += _python(then, now)
    found = _once(found) or _values(then, now, way)
    return sorted(found, key=lambda one: _ORDER.index(one.kind) if one.kind in _ORDER else len(_ORDER))


def _named(made: Making, step: Step) -> list[Function]:
    """Return the functions among a step's arguments; what has no name is the argument itself, told of there."""
    return [one for one in (made.functions[k] for k in step.uses) if one.name]


def _once(found: Iterable[Cause]) -> list[Cause]:
    first: dict[tuple[str, ...], Cause] = {}
    for one in found:
        first.setdefault((one.kind, one.text, one.where, one.was, one.now), one)
    return list(first.values())


def _functions(
    then: Sequence[Function], now: Sequence[Function], through: tuple[str, ...], names: tuple[str, str]
) -> list[Cause]:
    """Return what changed of what a task reaches."""
    before, after = _by_key(then), _by_key(now)
    found: list[Cause] = []
    for key, ours in after.items():
        theirs = before.get(key, [])
        same = Counter(one.digest for one in theirs) & Counter(one.digest for one in ours)
        left_then, left_now = _unlike(theirs, same), _unlike(ours, same)
        for k, one in enumerate(left_now):
            if k < len(left_then):
                found.append(_changed(left_then[k], one, (*_reached_by(one, now), *through), names))
            elif one.is_code and not theirs:
                found.append(_new(one, (*_reached_by(one, now), *through)))
    if not found:
        gone = [one for key, theirs in before.items() if key not in after for one in theirs]
        gone = [one for one in gone if one.is_code] or gone
        found += [Cause("code", f"{_called(one)} is no longer reached", _place(one)) for one in gone[:3]]
    # A variable that only a changed function reads anew is told of by that function's diff.
    return found or [_new_variable(one, through) for key, ours in after.items() if key not in before for one in ours]


def _digests(functions: Iterable[Function]) -> list[str]:
    return sorted(one.digest for one in functions)


def _by_key(functions: Iterable[Function]) -> dict[tuple[str, str, str], list[Function]]:
    found: dict[tuple[str, str, str], list[Function]] = {}
    for one in functions:
        found.setdefault(one.key, []).append(one)
    return found


def _unlike(functions: Iterable[Function], same: Counter[str]) -> list[Function]:
    left = Counter(same)
    found = []
    for one in functions:
        if left[one.digest]:
            left[one.digest] -= 1
        else:
            found.append(one)
    return found


def _reached_by(one: Function, functions: Sequence[Function]) -> tuple[str, ...]:
    """Return the names from a function to the task's own, which is left out: the step stands for it."""
    vias = {other.name: other.via for other in functions if other.is_code}
    name = one.name if one.is_code else one.owner
    found = [name]
    while (name := vias.get(name, "")) and name not in found:
        found.append(name)
    return tuple(found)


def _called(one: Function) -> str:
    if one.is_code:
        return f"{one.kind} {one.name}"
    return " of ".join(text for text in (f"{one.kind} {one.name}".rstrip(), one.owner) if text)


def _place(one: Function) -> str:
    return f"{one.file}:{one.line}" if one.file and one.line else one.file


def _changed(then: Function, now: Function, through: tuple[str, ...], names: tuple[str, str]) -> Cause:
    text, where = f"{_called(now)} changed", _place(now)
    if not now.is_code:
        alike = then.detail == now.detail
        was, is_ = (one.detail if one.detail and not alike else _digest_text(one) for one in (then, now))
        return Cause(now.kind, text, where, was, is_, through=through)
    if not then.source or not now.source:
        missing = names[0] if not then.source else names[1]
        return Cause("code", f"{text}; its source of {missing} was not kept", where, through=through)
    diff = unified(then.source, now.source, f"{now.name}, {names[0]}", f"{now.name}, {names[1]}")
    if not diff:
        # The same text can mean something else where what is around it does.
        text += ", although its text is the same: what it is written inside of changed"
    return Cause("code", text, where, diff=diff, through=through)


def _digest_text(one: Function) -> str:
    return f"{one.detail}{', ' if one.detail else ''}digest {one.digest[:12]}"


def _new(one: Function, through: tuple[str, ...]) -> Cause:
    return Cause("code", f"{_called(one)} is reached now, and was not", _place(one), through=through)


def _new_variable(one: Function, through: tuple[str, ...]) -> Cause:
    kind = "code" if one.is_code else one.kind
    return Cause(kind, f"{_called(one)} is read now, and was not", _place(one), now=one.detail, through=through)


def _task(then: Making, now: Making, old: str, new: str, through: tuple[str, ...]) -> Cause:
    was, is_ = then.given.get(old, ""), now.given.get(new, "")
    reached = now.ops.get(new, ())
    where = _place(reached[0]) if reached else ""
    if was != is_:
        return Cause(
            "task",
            f"version= of the task of {through[0]} changed",
            where,
            was or "none",
            is_ or "none",
            through=through,
        )
    return Cause("task", f"nout= or ignore= of the task of {through[0]} changed", where, through=through)


def _packaged(then: Making, now: Making) -> list[Cause]:
    return _packages(then, now, sure=False)


def _packages(then: Making, now: Making, *, sure: bool) -> list[Cause]:
    through = (now.steps[0].label,) if now.steps else ()
    found = [
        Cause("package", f"package {name} has another version", was=then.packages[name], now=version, through=through)
        for name, version in now.packages.items()
        if name in then.packages and then.packages[name] != version
    ]
    if not found and sure and then.full:
        new = [name for name in now.packages if name not in then.packages]
        found = [Cause("package", f"package {name} is used now", now=now.packages[name]) for name in new]
    return found


def _python(then: Making, now: Making) -> list[Cause]:
    one, two = then.machine.get("python", ""), now.machine.get("python", "")
    if one and two and one.split(".")[:2] != two.split(".")[:2]:
        return [Cause("python", "another minor version of Python runs it", was=one, now=two)]
    one, two = then.machine.get("schema", ""), now.machine.get("schema", "")
    if one and two and one != two:
        was, is_ = (made.machine.get("dualdag", "") for made in (then, now))
        return [Cause("python", "another dualdag, whose keys differ, runs it", was=was, now=is_)]
    return []


def _files(then: Making, now: Making, way: dict[str, tuple[str, ...]]) -> list[Cause]:
    if not then.full and not then.files:
        return []
    found = []
    same = dict.fromkeys(url for url in now.files if url in then.files)
    moved = _moved(then, now)
    for url, old in [*((url, url) for url in same), *moved.items()]:
        one, two = then.files[old], now.files[url]
        if not two.digest or one.digest != two.digest:
            found.append(_file_changed(url, one, two, way))
    if then.more_files or now.more_files:
        return found
    added = [url for url in now.files if url not in same and url not in moved]
    removed = [url for url in then.files if url not in same and url not in moved.values()]
    patterns = {url: pattern for made in (then, now) for pattern, urls in made.globs.items() for url in urls}
    if len(added) == len(removed) == 1 and not patterns.keys() & {*added, *removed}:
        was, is_ = (
            f"{short(url)}: {file_text(made.files[url])}" for made, url in ((then, removed[0]), (now, added[0]))
        )
        return [*found, Cause("file", "another file is read", was=was, now=is_, through=_way(way, added[0]))]
    for url in added:
        among = f", one of {patterns[url]}" if url in patterns else ""
        text = f"file {short(url)} was added{among}"
        found.append(Cause("file", text, now=file_text(now.files[url]), through=_way(way, patterns.get(url, url))))
    for url in removed:
        among = f", one of {patterns[url]}" if url in patterns else ""
        text = f"file {short(url)} was taken away{among}"
        found.append(Cause("file", text, was=file_text(then.files[url]), through=way.get(patterns.get(url, ""), ())))
    return found


def _file_changed(url: str, was: InputFile, now: InputFile, way: dict[str, tuple[str, ...]]) -> Cause:
    text = f"file {short(url)} changed" if now.digest else f"file {short(url)} was touched, and has to be read"
    return Cause("file", text, was=file_text(was), now=file_text(now), through=_way(way, url))


def _moved(then: Making, now: Making) -> dict[str, str]:
    """Return the files that lie in another folder by now, as in another checkout: new URL -> old URL."""

    def ends(made: Making, other: Making) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for url in made.files:
            if url not in other.files:
                found.setdefault("/".join(url.replace("\\", "/").split("/")[-2:]), []).append(url)
        return found

    old, new = ends(then, now), ends(now, then)
    return {new[end][0]: old[end][0] for end in new if len(new[end]) == 1 and len(old.get(end, ())) == 1}


def _way(way: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    return way.get(name) or way.get(short(name)) or way.get(name.replace("\\", "/").rpartition("/")[2], ())


def short(url: str) -> str:
    """Return a file's URL, from the working folder where it lies below that."""
    return place_text(url)


def _artifacts(then: Making, now: Making, way: dict[str, tuple[str, ...]]) -> list[Cause]:
    found = []
    for name, is_ in now.artifacts.items():
        was = then.artifacts.get(name)
        if was is None or not is_.digest or was.digest == is_.digest:
            continue
        old, new = (_version_text(one.version, one.digest) for one in (was, is_))
        text = f"artifact {name} has a new version" if is_.version != was.version else f"artifact {name} changed"
        found.append(Cause("artifact", text, was=old, now=new, through=way.get(name, ())))
    return found


def _version_text(number: int | None, digest: str) -> str:
    return f"version {number}" if number is not None else f"digest {digest[:12]}"


def with_parameters(then: Making, now: Making, found: list[Cause]) -> list[Cause]:
    """Return causes, arguments with the parameter that gave them; one that shows in none is told of by itself.

    Parameters
    ----------
    then, now : Making
        Of what was asked about.
    found : list of Cause
        Of it and of the artifacts above it.
    """
    changed = {
        name: (then.parameters[name], text)
        for name, text in now.parameters.items()
        if name in then.parameters and then.parameters[name] != text
    }
    told: set[str] = set()
    made = []
    for one in found:
        names = [name for name, pair in changed.items() if pair == (one.was, one.now)] if one.kind in _OWN else []
        told.update(names)
        made.append(replace(one, text=f"{one.text}: parameter {', '.join(names)}") if names else one)
    if any(one.kind in _OWN for one in found):
        left = {name: pair for name, pair in changed.items() if name not in told}
        made += [Cause("parameter", f"parameter {name} changed", "", *pair) for name, pair in left.items()]
    return made


def _values(then: Making, now: Making, way: dict[str, tuple[str, ...]]) -> list[Cause]:
    """Return steps that gave another value though nothing above them changed: those nearest to the inputs."""
    if len(then.steps) != len(now.steps):
        return []
    found = []
    for one, two in zip(then.steps[1:], now.steps[1:], strict=True):
        if one.own == two.own and one.digest and two.digest and one.digest != two.digest:
            text = f"{two.label} gave another value since: it was refreshed, or is not deterministic"
            found.append(Cause("value", text, two.at, f"digest {one.digest[:12]}", f"digest {two.digest[:12]}",
                               through=way.get(two.label, ())))  # fmt: skip
    return found[-1:]
