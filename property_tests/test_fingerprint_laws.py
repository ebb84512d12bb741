"""Laws of fingerprints: an edit changes the keys of what reaches it, and no others."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dualdag.hashing import fingerprint, shared_walk

WAYS = ("call", "table", "set", "default", "method", "partial", "lambda", "nested")


@st.composite
def programs(draw):
    """How many functions there are, and for each which others it reaches, and how."""
    count = draw(st.integers(1, 7))
    edges = st.tuples(st.integers(0, count - 1), st.sampled_from(WAYS))
    return [draw(st.lists(edges, max_size=3)) for _ in range(count)]


def definition(i: int, edges: list[tuple[int, str]], constant: int, extra: str = "") -> list[str]:
    """Return the statements that define function `i`; they may stand in any order of functions."""
    uses, before, after = [], [], []
    args = "x"
    for k, (j, way) in enumerate(edges):
        name = f"v{i}_{k}"
        if way == "call":
            uses.append(f"f{j}(x)")
        elif way == "nested":
            uses.append(f"[(lambda: f{j})() for _ in x]")
        elif way == "default":
            # Bound once all functions are there.
            args += f", {name}=None"
            after.append(f"f{i}.__defaults__ = (*(f{i}.__defaults__ or ())[:{args.count('=') - 1}], f{j}, "
                         f"*(f{i}.__defaults__ or ())[{args.count('=')}:])")  # fmt: skip
            uses.append(f"{name}(x)")
        elif way == "method":
            before.append(f"class {name}:\n    def go(self, x):\n        return f{j}(x)")
            uses.append(f"{name}().go(x)")
        else:
            made = {"table": f"{{'a': [f{j}]}}", "set": f"{{f{j}, len, 'a'}}", "partial": f"partial(f{j}, 1)",
                    "lambda": f"(lambda g: lambda x: g(x))(f{j})"}[way]  # fmt: skip
            after.append(f"{name} = {made}")
            uses.append(name)
    body = f"def f{i}({args}):\n{extra}    return [{', '.join([*uses, str(constant)])}]"
    return ["\n".join([*before, body]), *after]


def run(edges: list[list[tuple[int, str]]], edited: int = -1, order: list[int] | None = None, **more: Any) -> list[Any]:
    names: dict[str, Any] = {"__name__": more.get("name", "flow")}
    parts = [
        definition(i, each, 100 + (1000 if i == edited else 0) + i, more.get("extra", ""))
        for i, each in enumerate(edges)
    ]
    first = [parts[i][0] for i in (order or range(len(parts)))]
    rest = [line for part in parts for line in part[1:]]
    exec("\n".join(["from functools import partial", *first, *rest]), names)
    return [names[f"f{i}"] for i in range(len(edges))]


def digests(functions: list[Any]) -> list[bytes]:
    return [fingerprint(fn).digest for fn in functions]


def reaching(edges: list[list[tuple[int, str]]], target: int) -> set[int]:
    found = {target}
    while True:
        more = {i for i, each in enumerate(edges) if any(j in found for j, _ in each)} - found
        if not more:
            return found
        found |= more


@given(programs(), st.data())
def test_an_edit_changes_exactly_what_reaches_it(edges, data):
    edited = data.draw(st.integers(0, len(edges) - 1))
    before, after = digests(run(edges)), digests(run(edges, edited))
    changed = {i for i in range(len(edges)) if before[i] != after[i]}
    assert changed == reaching(edges, edited)


@given(programs(), st.randoms(use_true_random=False))
def test_text_order_and_place_do_not_count(edges, draw):
    order = list(range(len(edges)))
    draw.shuffle(order)
    other = run(edges, order=order, name="another.place", extra="    'Doc.'\n    # why\n\n")
    assert digests(other) == digests(run(edges))


@given(programs(), st.randoms(use_true_random=False))
def test_a_shared_walk_gives_the_same(edges, draw):
    functions = run(edges)
    alone = digests(functions)
    order = list(range(len(edges)))
    draw.shuffle(order)
    with shared_walk():
        found = {i: fingerprint(functions[i]).digest for i in order}
    assert [found[i] for i in range(len(edges))] == alone


def twin(label: str) -> Any:
    """Return a function that reaches what is put into its cells; all of them have one code."""
    one = two = None

    def step(x):
        return label, one, two

    return step


machines = st.integers(1, 8).flatmap(
    lambda n: st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, n - 1), st.integers(0, n - 1)), min_size=n, max_size=n
    )
)


def wired(machine: list[tuple[str, int, int]]) -> list[Any]:
    steps = [twin(label) for label, _, _ in machine]
    for step, (_, one, two) in zip(steps, machine, strict=True):
        cells = dict(zip(step.__code__.co_freevars, step.__closure__, strict=True))
        cells["one"].cell_contents = steps[one]
        cells["two"].cell_contents = steps[two]
    return steps


@given(machines, st.randoms(use_true_random=False))
def test_functions_of_one_fingerprint_can_not_be_told_apart(machine, draw):
    classes: list[Any] = [label for label, _, _ in machine]
    for _ in machine:
        rows = [(classes[i], classes[one], classes[two]) for i, (_, one, two) in enumerate(machine)]
        classes = [sorted(set(rows), key=repr).index(row) for row in rows]
    found = digests(wired(machine))
    for i in range(len(machine)):
        for j in range(len(machine)):
            assert found[i] != found[j] or classes[i] == classes[j]

    place = list(range(len(machine)))
    draw.shuffle(place)
    moved = [machine[place.index(k)] for k in range(len(machine))]
    again = digests(wired([(label, place[one], place[two]) for label, one, two in moved]))
    assert [again[place[i]] for i in range(len(machine))] == found


globals_ = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(st.text(max_size=1), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(globals_, globals_)
def test_a_global_counts_by_its_value(one, two):
    def with_value(value):
        names = {"VALUE": value}
        exec("def helper(): return VALUE\ndef task(): return helper()", names)
        return fingerprint(names["task"]).digest

    assert (with_value(one) == with_value(two)) == (repr(one) == repr(two))
