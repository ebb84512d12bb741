"""How the steps of two makings go together, and what differs between those that do."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from hashlib import blake2b
from typing import TYPE_CHECKING

from dualdag.explaining._calls import call_text, is_chain, method_text
from dualdag.explaining._cause import Cause
from dualdag.explaining._edits import find_edit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dualdag.explaining._edits import Edit
    from dualdag.explaining._making import Making, Step

__all__ = ["compare_steps", "ways"]

Tasks = list[tuple["Step", "Step", tuple[str, ...]]]


def ways(made: Making) -> dict[str, tuple[str, ...]]:
    """Return, by label, the labels from each step down to the one that was asked about.

    Parameters
    ----------
    made : Making
        Its first step is the one that was asked about.
    """
    by_place = _ways(made)
    found: dict[str, tuple[str, ...]] = {}
    for place, way in by_place.items():
        found.setdefault(made.steps[place].label, way)
    urls = list(made.files)
    for pattern, members in made.globs.items():
        for url in members:
            found.setdefault(url, (url.replace("\\", "/").rpartition("/")[2], *found.get(pattern, ())))
    for url in urls:
        # A file's label is how it was typed, which is how its URL ends.
        end = next((label for label in found if url.endswith(label.replace("\\", "/").removeprefix("./"))), None)
        if end is not None and url not in found:
            found[url] = found[end]
    return found


def _ways(made: Making) -> dict[int, tuple[str, ...]]:
    """Return the shortest way from each step to the first; inputs come after their users."""
    found: dict[int, tuple[str, ...]] = {0: (made.steps[0].label,)} if made.steps else {}
    for place, step in enumerate(made.steps):
        for j in step.inputs:
            if j not in found and j < len(made.steps) and place in found:
                found[j] = (made.steps[j].label, *found[place])
    return found


def compare_steps(then: Making, now: Making, way: Mapping[str, tuple[str, ...]]) -> tuple[Tasks, list[Cause]]:
    """Return the pairs of tasks that differ, and how arguments and inputs of steps do.

    Parameters
    ----------
    then, now : Making
        The older one and the newer one.
    way : mapping
        As `ways` gave it for `now`.
    """
    if not then.steps or not now.steps:
        return [], []
    if not then.full:
        return [], _by_label(then.steps, now.steps, way)
    signs = _signs(then), _signs(now)
    places = _ways(now)
    tasks: Tasks = []
    found: list[Cause] = []
    pairs = [(0, 0)]
    for i, j in pairs:  # grows while it is read
        if signs[0][i] == signs[1][j]:
            continue
        one, two = then.steps[i], now.steps[j]
        through = places.get(j, (two.label,))
        edit = find_edit((then, now), (i, j), signs)
        if edit is not None:
            found += _edited((then, now), edit, through)
            pairs += {edit.pair}.difference(pairs)
            continue
        used = [sorted(made.functions[k].digest for k in step.uses) for made, step in ((then, one), (now, two))]
        same_code = one.op == two.op and used[0] == used[1]
        if one.kind == two.kind == "call" and not same_code:
            tasks.append((one, two, through))
        told = []
        if one.own != two.own:
            told += _arguments(one, two, (_defaults(then, one), _defaults(now, two)), through)
        matched, added, removed = _aligned(then, now, one, two, signs)
        told += _inputs(then, now, added, removed, through, two)
        if one.own != two.own and same_code and not told and not added and not removed:
            told.append(_beyond_notes(one, two, through))
        found += told
        pairs += [pair for pair in matched if pair not in pairs]
    return tasks, found


def _beyond_notes(one: Step, two: Step, through: tuple[str, ...]) -> Cause:
    text = f"{two.label} takes {len(two.inputs)} inputs, and took {len(one.inputs)}"
    if len(one.inputs) == len(two.inputs):
        text = f"an argument of {two.label} changed, beyond what is noted of it"
    return Cause("argument", text, two.at, through=through)


def _edited(makings: tuple[Making, Making], edit: Edit, through: tuple[str, ...]) -> list[Cause]:
    """Return the steps that were put between two others, or taken out."""
    made, said = (makings[1], "was added") if edit.added else (makings[0], "was taken out")
    steps = [made.steps[place] for place in edit.places]
    return [Cause("step", f"step {call_text(made, step)} {said}", step.at, through=through) for step in steps]


def _signs(made: Making) -> list[bytes]:
    """Return, per step, a hash of it and all above it."""
    signs = [b""] * len(made.steps)
    for place in _inputs_first(made):
        step = made.steps[place]
        name = step.label if step.kind != "call" else ""
        above = [signs[j] for j in step.inputs if j < len(signs)]
        own = "" if step.kind == "artifact" else step.own
        head = f"{step.kind}\0{name if step.kind == 'artifact' else ''}\0{own}\0{len(step.inputs)}\0".encode()
        signs[place] = blake2b(head + b"".join(above), digest_size=16).digest()
    return signs


def _inputs_first(made: Making) -> list[int]:
    """Return the places so that each comes after its inputs; listed is nearest first, which is not the reverse."""
    done: set[int] = set()
    order: list[int] = []
    stack = [(0, False)] if made.steps else []
    while stack:
        place, opened = stack.pop()
        if place in done:
            continue
        if opened:
            done.add(place)
            order.append(place)
            continue
        stack.append((place, True))
        stack += [(j, False) for j in made.steps[place].inputs if j < len(made.steps) and j not in done]
    return order


def _defaults(made: Making, step: Step) -> dict[str, str]:
    """Return what the function of a task takes where it is not given it."""
    reached = made.ops.get(step.op, ())
    return {one.name: one.detail for one in reached if one.kind == "default" and one.owner == reached[0].name}


def _arguments(
    one: Step, two: Step, defaults: tuple[Mapping[str, str], Mapping[str, str]], through: tuple[str, ...]
) -> list[Cause]:
    if two.kind == "value":
        if one.args == two.args:
            return []
        text = f"value {two.label} changed" if two.label != "value" else "a value changed"
        return [Cause("argument", text, two.at, one.args[0][1], two.args[0][1], through=through)]
    if is_chain(one) and is_chain(two):
        return _methods(one, two, through)
    by_place = len(one.args) == len(two.args)
    old = {arg[0]: arg for arg in one.args}
    found = []
    for k, arg in enumerate(two.args):
        was = one.args[k] if by_place else old.get(arg[0])
        if was is None:
            before = defaults[0].get(arg[0], "")
            text = f"argument {arg[0]} of {two.label} {'changed' if before else 'is given now'}"
            found.append(Cause("argument", text, two.at, before, arg[1], through=through))
        elif was[1:] != arg[1:] and not _only_names(was[1], arg[1]):
            text = f"argument {arg[0]} of {two.label} changed"
            said = "" if was[1] != arg[1] else " beyond what is shown of it"
            found.append(Cause("argument", text + said, two.at, was[1], arg[1], through=through))
    kept = {arg[0] for arg in two.args}
    for name, text, _ in () if by_place else one.args:
        if name not in kept:
            after = defaults[1].get(name, "")
            left = f"argument {name} of {two.label} {'changed' if after else 'is not given any more'}"
            found.append(Cause("argument", left, two.at, text, after, through=through))
    return found


def _methods(one: Step, two: Step, through: tuple[str, ...]) -> list[Cause]:
    """Return how the methods of a pandas chain differ that are carried out in one step."""
    rows = [[(name, _NODE.sub("<>", text), mark) for name, text, mark in step.args] for step in (one, two)]
    found = []
    for what, i, i_end, j, j_end in SequenceMatcher(None, rows[0], rows[1], autojunk=False).get_opcodes():
        old, new = list(one.args[i:i_end]), list(two.args[j:j_end])
        if what != "equal" and [arg[0] for arg in old] == [arg[0] for arg in new]:
            for was, arg in zip(old, new, strict=True):
                beyond = " beyond what is shown of it" if was[1] == arg[1] else ""
                text = f"step {arg[0].removeprefix('.')} of {two.label} changed{beyond}"
                found.append(Cause("argument", text, two.at, was[1], arg[1], through=through))
        elif what != "equal":
            for args, at, said in ((old, one.at, "was taken out"), (new, two.at, "was added")):
                found += [Cause("step", f"step {method_text(*a[:2])} {said}", at, through=through) for a in args]
    return found


def _only_names(was: str, now: str) -> bool:
    """Return whether nothing but nodes differs: which ones they are is told by their steps."""
    return _NODE.sub("", was) == _NODE.sub("", now)


#: A node in the text of an argument.
_NODE = re.compile(r"<(?!(?:function|built-in|class|bound|method) )[^<>]*>(, )?")


def _by_label(then: Iterable[Step], now: Iterable[Step], way: Mapping[str, tuple[str, ...]]) -> list[Cause]:
    """Return how arguments differ where an older dualdag noted them by label alone, without names or inputs."""
    old: dict[str, list[Step]] = {}
    for step in then:
        old.setdefault(step.label, []).append(step)
    found: list[Cause] = []
    for step in now:
        before = old.get(step.label, [])
        if step.kind == "call" and len(before) == 1 and len(before[0].args) == len(step.args):
            known = [arg for arg in zip(before[0].args, step.args, strict=True) if "<" not in arg[0][1] + arg[1][1]]
            found += [
                Cause("argument", f"argument {is_[0]} of {step.label} changed", step.at, was[1], is_[1],
                      through=way.get(step.label, ()))
                for was, is_ in known if was[1] != is_[1]
            ]  # fmt: skip
    return found


def _aligned(
    then: Making, now: Making, one: Step, two: Step, signs: tuple[list[bytes], list[bytes]]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Return which inputs of two steps go together, and those that have no counterpart."""
    old = [i for i in one.inputs if i < len(then.steps)]
    new = [j for j in two.inputs if j < len(now.steps)]
    same = Counter(signs[0][i] for i in old) & Counter(signs[1][j] for j in new)
    left = _without(old, signs[0], same), _without(new, signs[1], same)
    pairs: list[tuple[int, int]] = []
    for alike in (_same_label, _same_kind):
        for j in list(left[1]):
            i = next((i for i in left[0] if alike(then.steps[i], now.steps[j])), None)
            if i is not None:
                pairs.append((i, j))
                left[0].remove(i)
                left[1].remove(j)
    return pairs, left[1], left[0]


def _without(places: list[int], signs: list[bytes], same: Counter[bytes]) -> list[int]:
    count = Counter(same)
    found = []
    for place in places:
        if count[signs[place]]:
            count[signs[place]] -= 1
        else:
            found.append(place)
    return found


def _same_label(one: Step, two: Step) -> bool:
    return one.kind == two.kind and one.label == two.label


def _same_kind(one: Step, two: Step) -> bool:
    return one.kind == two.kind == "call" or one.kind == two.kind == "value"


def _inputs(
    then: Making, now: Making, added: list[int], removed: list[int], through: tuple[str, ...], user: Step
) -> list[Cause]:
    """Return inputs that came or went; files are told of where files are compared."""
    found = []
    for j in added:
        step = now.steps[j]
        if step.kind == "files":
            text = f"{user.label} takes the files {step.label} now"
            found.append(Cause("input", text, through=(step.label, *through)))
        elif step.kind != "file" and not _brings_files(now, j, then):
            text = f"{user.label} takes {_named(step)} now"
            found.append(Cause("input", text, step.at, through=(step.label, *through)))
    for i in removed:
        step = then.steps[i]
        if step.kind != "file" and not _brings_files(then, i, now):
            found.append(Cause("input", f"{user.label} takes {_named(step)} no longer", step.at, through=through))
    return found


def _brings_files(made: Making, place: int, other: Making) -> bool:
    """Return whether a step stands below a file that the other making has not: then that file is told of."""
    known = {step.label for step in other.steps if step.kind == "file"}
    above = [place]
    for k in above:  # grows while it is read
        above += [j for j in made.steps[k].inputs if j < len(made.steps) and j not in above]
    return any(made.steps[k].kind == "file" and made.steps[k].label not in known for k in above)


def _named(step: Step) -> str:
    return f"artifact {step.label}" if step.kind == "artifact" else step.label
