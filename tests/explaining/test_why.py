"""`dag.why`: every cause alone, in pairs, and never one where nothing would run."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import dualdag as dag

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def upstream(world):
    world.write("one.txt", "41")
    world.run("up")


# What is done, and what `why` has to say of it: kind, words, the way to `top`.
EDITS = {
    "upstream": (upstream, "artifact", "artifact up has a new version", ("up", "top")),
    "file": (lambda w: w.write("one.txt", "100"), "file", "file one.txt changed", ("one.txt", "up", "top")),
    "glob changed": (lambda w: w.write("parts/a.txt", "a"), "file", "file parts/a.txt changed", ("a.txt", "parts/*.txt", "lengths", "top")),
    "glob added": (lambda w: w.write("parts/c.txt", "cc"), "file", "file parts/c.txt was added, one of parts/*.txt", None),
    "glob removed": (lambda w: Path("parts/b.txt").unlink(), "file", "file parts/b.txt was taken away, one of parts/*.txt", None),
    "argument": (lambda w: w.edit("flow.py", '"n", 3', '"n", 4'), "argument", "argument n of top changed", ("top",)),
    "helper": (lambda w: w.edit("rates.py", "x * RATE", "RATE * x"), "code", "function scale changed", ("scale", "price", "mix", "top")),
    "function": (lambda w: w.edit("flow.py", "[price(a), b", "[price(a), b, b"), "code", "function mix changed", ("mix", "top")),
    "global": (lambda w: w.edit("rates.py", "RATE = 2", "RATE = 3"), "global", "global RATE of scale changed", ("scale", "price", "mix", "top")),
    "default": (lambda w: w.edit("flow.py", "add=1", "add=2"), "default", "default add of read changed", ("read", "up", "top")),
    "closure": (lambda w: w.edit("flow.py", "times(3)", "times(4)"), "closure", "closure k of times.<locals>.inner changed", None),
    "value": (lambda w: w.edit("flow.py", "dag.value(5)", "dag.value(6)"), "argument", "a value changed", ("value", "side", "top")),
    "lost": (lambda w: w.lose(), "lost", "the value of version 1 of top is gone from the store", None),
}  # fmt: skip


def kinds(why):
    return sorted((one.kind, one.text) for one in why.causes)


@pytest.mark.parametrize("name", EDITS)
def test_each_cause_alone(world, name):
    world.run()
    assert world.why().causes == ()
    do, kind, text, through = EDITS[name]
    do(world)
    why = world.why()
    assert [(one.kind, one.text) for one in why.causes] == [
        (kind, text + (": parameter n" if name == "argument" else ""))
    ]
    assert why.action in {"run", "check"}
    assert through is None or why.causes[0].through == through
    assert max(map(len, str(why).splitlines())) <= 100


@pytest.mark.parametrize("pair", list(itertools.combinations(EDITS, 2)), ids=" and ".join)
def test_causes_in_pairs(world, pair):
    world.run()
    for name in pair:
        EDITS[name][0](world)
    found = kinds(world.why())
    for name in pair:
        _, kind, text, _ = EDITS[name]
        assert any(one[0] == kind and one[1].startswith(text) for one in found), found
    assert len(found) == 2, found


def test_old_and_new_are_told(world):
    world.run()
    world.write("one.txt", "12345")
    world.edit("rates.py", "x * RATE", "RATE * x")
    world.params["n"] = "8"
    code, argument, file = world.why().causes
    assert "-    return x * RATE" in code.diff
    assert "+    return RATE * x" in code.diff
    assert code.where == f"{Path.cwd()}/rates.py:4"
    assert (argument.was, argument.now) == ("3", "8")
    assert file.was.startswith("1 B, ")
    assert file.now.startswith("5 B, ")
    assert "digest" in file.was
    assert "digest" in file.now


def test_a_parameter_that_shows_in_no_argument(world):
    world.edit("flow.py", 'n=dag.param("n", 3)', 'n=[dag.param("n", 3)] * 2')
    world.run()
    world.params["n"] = "4"
    assert kinds(world.why()) == [("argument", "argument n of top changed"), ("parameter", "parameter n changed")]


def test_inputs_that_come_and_go(world):
    world.run()
    world.edit("flow.py", "mix(up, lengths(", "mix(read(dag.file('one.txt'), 5), lengths(")
    found = kinds(world.why())
    assert ("input", "top takes artifact up no longer") in found
    assert ("file", "file one.txt was added") in found


def test_very_many_causes(world):
    for n in range(60):
        world.write(f"parts/{n}.txt", "x")
    world.run()
    for n in range(60):
        world.write(f"parts/{n}.txt", "yy")
    why = world.why()
    assert len(why.causes) == 60
    assert str(why).endswith("\n\nand 20 more; --json lists them all")


def test_another_file_in_its_place(world):
    world.run()
    world.write("two.txt", "2")
    world.edit("flow.py", '"one.txt"', '"two.txt"')
    (only,) = world.why("up").causes
    assert only.text == "another file is read"
    assert "one.txt" in only.was
    assert "two.txt" in only.now


def test_a_version_given_by_hand(world):
    world.edit("flow.py", "@dag.task\ndef mix", "@dag.task(version=1)\ndef mix")
    world.run()
    world.edit("flow.py", "version=1", "version=2")
    (only,) = world.why().causes
    assert (only.kind, only.was, only.now) == ("task", "1", "2")
    assert "version=" in only.text


def test_an_argument_in_place_of_its_default(world):
    world.edit("flow.py", "def mix(a, b, c, n):", "def mix(a, b, c, n=3):")
    world.run()
    world.params["n"] = "4"
    (only,) = world.why().causes
    assert (only.text, only.was, only.now) == ("argument n of top changed: parameter n", "3", "4")


def test_variables_of_every_kind(world):
    world.write("rates.py", "RATE = {'a': [1, 2], 'b': {'c': 3}}\n\n\ndef scale(x):\n    return x * len(RATE)\n")
    world.run()
    world.edit("rates.py", "[1, 2]", "[1, 5]")
    (only,) = world.why().causes
    assert (only.was, only.now) == ("{'a': [1, 2], 'b': {'c': 3}}", "{'a': [1, 5], 'b': {'c': 3}}")
    world.write("rates.py", f"RATE = {'x' * 200 + '1'!r}\n\n\ndef scale(x):\n    return x * len(RATE)\n")
    world.run()
    world.edit("rates.py", "1", "2")
    (only,) = world.why().causes
    assert only.was != only.now
    assert only.was.startswith("'xxx")


def test_a_builtin_among_the_arguments(world):
    world.edit("flow.py", "n=7)", "n=[max, 3])")
    world.run("daily", now=NOW)
    world.edit("flow.py", "[max, 3]", "[min, 3]")
    told = [(one.kind, one.was, one.now) for one in world.why("daily", now=NOW).causes]
    assert ("argument", "[<function max>, 3]", "[<function min>, 3]") in told


STEPS = """
import dualdag as dag

@dag.task
def start():
    return 1

@dag.task
def one(x, k=1):
    return x + k

@dag.task
def two(x, y=0):
    return x * 2 + y

@dag.task
def end(x):
    return x

end(LAST).artifact("end")
"""


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("start()", "one(start())", ["step one(x=<start>) was added"]),
        ("one(start())", "start()", ["step one(x=<start>) was taken out"]),
        ("one(start())", "two(one(start()))", ["step two(x=<one>) was added"]),
        ("two(one(start()))", "two(start())", ["step one(x=<start>) was taken out"]),
        ("one(start(), k=2)", "two(one(start(), k=3))",
         ["argument k of one changed", "step two(x=<one>) was added"]),
        ("one(start(), k=2)", "one(start(), k=3)", ["argument k of one changed"]),
        ("one(one(start(), k=2), k=2)", "one(one(start(), k=2), k=3)", ["argument k of one changed"]),
        ("one(one(start()), k=2)", "one(start(), k=2)", ["step one(x=<start>) was taken out"]),
        ("start()", "two(one(start()))", ["step one(x=<start>) was added", "step two(x=<one>) was added"]),
        ("one(start())", "two(start())", ["function two is reached now, and was not"]),
    ],
)  # fmt: skip
def test_steps_that_come_and_go(world, was, now, told):
    world.write("flow.py", STEPS.replace("LAST", was))
    world.run("end")
    world.write("flow.py", STEPS.replace("LAST", now))
    assert sorted(one.text for one in world.why("end").causes) == told


CHAIN = """
import dualdag.pandas as pd

frame = pd.read_csv("data.csv")
frame[frame.a > 1].sort_values("b").artifact("chain")
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (".artifact", ".head(1).artifact", ["step .head(n=1) was added"]),
        ('.sort_values("b")', "", ["step .sort_values(by='b') was taken out"]),
        ('.sort_values("b")', ".round(1).abs()", ["step .abs() was added", "step .round(decimals=1) was added",
                                                  "step .sort_values(by='b') was taken out"]),
        ("a > 1", "a > 2", ["step > of gt changed"]),
        ('"b"', '["a", "b"]', ["step sort_values of chain changed"]),
    ],
)  # fmt: skip
def test_steps_of_a_chain_that_come_and_go(world, old, new, told):
    world.write("data.csv", "a,b\n1,2\n3,4\n2,1\n")
    world.write("flow.py", CHAIN)
    world.run("chain")
    world.edit("flow.py", old, new)
    why = world.why("chain")
    assert sorted(one.text for one in why.causes or why.changes) == told


def test_packages_and_python(world):
    from dataclasses import replace

    from dualdag.explaining import read_making
    from dualdag.explaining._compare import compare

    world.run()
    store = dag.store()
    made = replace(read_making(store, store.version("top")), packages={"numpy": "2.0"})
    newer = replace(made, packages={"numpy": "2.1"}, machine={**made.machine, "python": "3.99.1"})
    assert [(one.kind, one.was, one.now) for one in compare(made, newer)] == [
        ("package", "2.0", "2.1"),
        ("python", made.machine["python"], "3.99.1"),
    ]


def test_never_made_and_unchanged(world):
    why = world.why()
    assert [one.kind for one in why.causes] == ["never"]
    assert why.version is None
    world.run()
    why = world.why()
    assert (why.action, why.causes, why.changes, why.version) == ("reuse", (), (), 1)
    assert str(why).startswith("top would be reused: nothing changed since version 1\n")


def test_refresh(world):
    world.run()
    assert kinds(world.why(refresh=["top"])) == [("refresh", "top is named in refresh")]
    (only,) = world.why(refresh=["side"]).causes
    assert (only.kind, only.through) == ("refresh", ("side", "top"))
    (only,) = world.why(refresh=["up"]).causes
    assert (only.kind, only.through) == ("refresh", ("up", "top"))


def test_cadence(world):
    world.run("daily", now=NOW)
    early = NOW + timedelta(hours=1)
    world.write("one.txt", "5")
    why = world.why("daily", now=early)
    assert (why.action, why.causes) == ("pinned", ())
    assert [(one.kind, one.through) for one in why.changes] == [("file", ("one.txt", "up", "daily"))]
    assert "what waits, and changed since" in str(why)
    assert "not due until 2026-03-03 08:00 UTC" in str(why)
    why = world.why("daily", now=NOW + timedelta(days=1))
    assert [one.kind for one in why.causes] == ["due", "file"]
    assert "due since 2026-03-03 08:00 UTC" in why.causes[0].text
    world.edit("flow.py", "n=7", "n=8")
    assert [one.kind for one in world.why("daily", now=early).causes] == ["argument", "file"]


def test_what_gave_the_same_value(world):
    world.run()
    world.edit("rates.py", "x * RATE", "RATE * x")
    world.run()
    why = world.why()
    assert (why.action, why.version, why.causes) == ("reuse", 1, ())
    assert [one.text for one in why.changes] == ["function scale changed"]


def test_a_touched_file_is_read(world):
    world.run()
    Path("one.txt").touch()
    assert world.why().causes == ()
    world.run("daily", now=NOW)
    Path("one.txt").touch()
    assert world.why("daily", now=NOW + timedelta(hours=1)).changes == ()
    world.write("one.txt", "5")
    (only,) = world.why("daily", now=NOW + timedelta(hours=1)).changes
    assert only.text == "file one.txt changed"


def test_a_node_that_is_no_artifact(world):
    world.run()
    inner = world.nodes()["top"].inputs[1]
    assert dag.why(inner).action in {"reuse", "run"}
    world.edit("flow.py", "found.append(len(f.read()))", "found.append(len(f.read()) + 1)")
    why = dag.why(world.nodes()["top"].inputs[1])
    assert [one.kind for one in why.causes] == ["record"]
    assert "is no artifact" in why.notes[0]
    world.write("one.txt", "77")
    below = dag.task(lambda x: x)(world.nodes()["top"])
    assert "file" in [one.kind for one in dag.why(below).causes]


def test_by_name(world):
    nodes = world.nodes()
    assert dag.why("top").name == "top"
    assert dag.why(nodes["top"]).to_dict() == dag.why("top").to_dict()
    with pytest.raises(dag.GraphError, match="dualdag why FLOW nothing"):
        dag.why("nothing")
    with pytest.raises(dag.GraphError, match="one node"):
        dag.why([nodes["top"], nodes["up"]])


def test_notes_of_an_older_dualdag(world):
    """Versions of the first form tell functions and arguments, and that they know no more."""
    import json

    import msgspec

    world.run()
    store = dag.store()
    version = store.version("top")
    code = store.code(version.code)
    old = {
        "made": 1.0, "made_at": {"file": "flow.py", "line": 40}, "packages": {}, "inputs": {}, "git": "abc",
        "functions": {
            (f"{one.get('owner', '')}:{one['name']}" if "owner" in one else one["name"]): one for one in code["functions"]
        },
        "arguments": {"top-0": {"label": "top", "args": ["<Node up>", "<Node lengths>", "<Node side>"], "kwargs": {"n": "3"}}},
        "lineage": [],
    }  # fmt: skip
    details = store.put_object(json.dumps(old).encode())
    store.add_version(msgspec.structs.replace(version, digest=bytes(32), details=details, code=None))
    world.edit("rates.py", "x * RATE", "RATE * x")
    world.edit("flow.py", '"n", 3', '"n", 4')
    why = world.why()
    assert [one.kind for one in why.causes] == ["code", "argument"]
    assert "older dualdag" in why.notes[0]
    world.write("parts/a.txt", "a")
    world.edit("rates.py", "RATE * x", "x * RATE")
    world.edit("flow.py", '"n", 4', '"n", 3')
    assert [one.kind for one in world.why().causes] == ["unknown"]


def test_the_report_is_data(world):
    world.run()
    EDITS["helper"][0](world)
    found = world.why().to_dict()
    assert found.keys() == {"name", "key", "action", "reason", "causes", "changes", "version", "made", "run", "notes"}
    assert found["causes"][0].keys() == {"kind", "text", "where", "was", "now", "diff", "through"}
    assert "<pre>top would" in world.why()._repr_html_()
    with pytest.raises(AttributeError):
        world.why().name = "x"


@pytest.mark.parametrize("seed", range(4))
def test_causes_are_told_exactly_where_something_would_run(world, seed):
    """The law: no cause where the plan reuses or pins, one at least where it does not."""
    rng = random.Random(seed)
    now = NOW
    world.run(now=now)
    for step in range(12):
        now += timedelta(hours=rng.choice([1, 13]))
        what = rng.randrange(7)
        if what == 0:
            world.write("one.txt", str(rng.randrange(4)))
        elif what == 1:
            world.write(f"parts/{rng.choice('abc')}.txt", "x" * rng.randrange(3))
        elif what == 2:
            world.params["n"] = str(rng.randrange(3))
        elif what == 3:
            world.write("rates.py", f"RATE = {rng.randrange(3)}\n\n\ndef scale(x):\n    return x * RATE\n")
        elif what == 4:
            world.run(*rng.sample(["up", "top", "daily"], rng.choice([1, 2])), now=now)
        elif what == 5 and Path(".dualdag/objects").exists():
            world.lose()
        for name in ("up", "top", "daily"):
            why = world.why(name, now=now)
            plan = dag.plan(world.nodes()[name], now=now)
            action = next(row.action for row in reversed(plan.nodes) if row.name == name)
            assert why.action == action, (seed, step, name)
            assert (why.causes == ()) == (action in {"reuse", "pinned"}), (seed, step, name, str(why))
            assert max(map(len, str(why).splitlines())) <= 100


def test_a_pandas_chain():
    import pandas

    import dualdag.pandas as pd

    def chain(least, how="sum", fn=abs):
        frame = pd.read_csv("x*.csv")
        return frame[frame.a > least].groupby("a").agg(s=("b", how)).apply(fn).artifact("g")

    for name in "12":
        pandas.DataFrame({"a": [1, 2, 3], "b": [3.0, 4.0, int(name)]}).to_csv(f"x{name}.csv", index=False)

    def one(column):
        return column + 1

    def two(column):
        return column + 2

    chain(1, fn=one).compute(backend="sync", progress="off")
    (only,) = dag.why(chain(2, fn=one)).causes
    assert (only.kind, only.text, only.was, only.now) == ("argument", "step > of gt changed", "1", "2")
    (only,) = dag.why(chain(1, "mean", fn=one)).causes
    assert (only.was, only.now) == ("s=('b', 'sum')", "s=('b', 'mean')")
    (only,) = [cause for cause in dag.why(chain(1, fn=two)).causes if cause.kind == "code" and not cause.diff] or [None]
    assert "two" in only.text
    pandas.DataFrame({"a": [1], "b": [2.0]}).to_csv("x3.csv", index=False)
    (only,) = dag.why(chain(1, fn=one)).causes
    assert only.text == "file x3.csv was added"
    assert only.through[0] == "x3.csv"


def test_a_function_among_the_arguments(world):
    world.write("flow.py", "import dualdag as dag\nfrom money import price\ndag.task(map)(price, [1]).named('m')\n"
                           "@dag.task\ndef use(fns, x):\n    return fns['f'](x)\nuse({'f': price}, 2).artifact('used')\n")  # fmt: skip
    world.run("used")
    world.edit("rates.py", "x * RATE", "RATE * x")
    (only,) = world.why("used").causes
    assert only.text == "function scale changed"
    assert only.through == ("scale", "price", "used")


def test_a_wide_graph():
    read = dag.task(lambda path, k: k)
    count = dag.task(lambda *xs: len(xs))

    def wide(n):
        return count(*[read(dag.file(f"f{k}.txt"), k) for k in range(n)]).artifact("wide")

    for k in range(151):
        Path(f"f{k}.txt").write_text(str(k))
    wide(150).compute(backend="sync", progress="off")
    assert dag.why(wide(150)).causes == ()
    found = dag.why(wide(151)).causes
    assert [one.text for one in found] == ["wide takes 151 inputs, and took 150", "file f150.txt was added"]
    Path("f149.txt").write_text("other")
    assert [one.text for one in dag.why(wide(150)).causes] == ["file f149.txt changed"]


def test_what_lies_beyond_the_notes():
    node = dag.task(lambda *xs, k=0: k)

    def wide(last):
        return node(*[node(node(k=k), k=k + (last if k == 180 else 0)) for k in range(200)]).artifact("wide")

    wide(0).compute(backend="sync", progress="off")
    why = dag.why(wide(1000))
    (only,) = why.causes
    assert only.text == "<lambda>: never run with this function and these arguments"
    assert len(only.through) == 2
    assert "nearest" in why.notes[0]
