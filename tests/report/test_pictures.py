"""Pictures: what is folded, what is escaped, what they look like to a program."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import dualdag as dag
from dualdag.errors import BackendNotInstalledError, ConfigError
from dualdag.graph import compile_graph
from dualdag.report import FORMATS, draw
from dualdag.report._boxes import picture_of
from dualdag.report._dot import dot_text
from dualdag.report._layout import layouts_of

HOSTILE = 'a"b\\N<script>alert(1)</script>&amp;]]>`#|{}--'
SVG = "{http://www.w3.org/2000/svg}"


def step(name, **options):
    made = dag.task(lambda *args, **kwargs: 1, version=name, **options)
    made.label = name
    return made


def days(count, folder="data"):
    clean = step("clean_day")
    return [clean(dag.file(f"{folder}/day-{i:03}.csv")) for i in range(count)]


def titles(nodes):
    return [(box.title, box.lines) for box in picture_of(compile_graph(nodes)).boxes]


class Told:
    """Stands for a plan."""

    def __init__(self, graph, actions):
        self.graph = graph
        self._actions = actions

    def action(self, i):
        return self._actions.get(self.graph.label(i), "")

    def reason(self, i):
        return "as told"

    @property
    def counts(self):
        found = [self.action(i) for i in range(len(self.graph))]
        return {name: found.count(name) for name in ("reuse", "run", "check", "pinned")}


class TestFolding:
    def test_a_small_graph_is_drawn_whole(self):
        assert len(titles([step("all")(days(10)).artifact("clean")])) == 21

    def test_a_year_of_files_is_two_boxes(self):
        found = titles([step("all_days")(days(365)).artifact("clean", cadence="1d")])
        assert found == [
            ("data/day-*.csv", ("365 files",)),
            ("clean_day x 365", ()),
            ("clean", ("all_days", "1d")),
        ]

    def test_files_of_one_node_are_one_box_even_in_a_small_graph(self):
        node = step("read")([dag.file(f"in/{i}.csv") for i in range(3)])
        assert titles([node]) == [("in/*.csv", ("3 files",)), ("read", ())]

    def test_a_chain_of_one_step_is_one_box(self):
        node, more = step("start")(), step("more")
        for i in range(500):
            node = more(node, i)
        assert [title for title, _ in titles([step("last")(node)])] == ["start", "more x 500", "last"]

    def test_a_tree_of_one_step_is_one_box(self):
        level, add = days(512), step("add")
        while len(level) > 1:
            level = [add(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
        assert [title for title, _ in titles([level[0].artifact("sum")])][1:] == ["clean_day x 512", "add x 510", "sum"]

    def test_artifacts_never_fold(self):
        part = step("part")
        found = titles([part(i).artifact(f"part_{i}") for i in range(400)])
        assert len(found) == 400

    def test_steps_of_few_names_keep_them(self):
        part = step("part")
        nodes = [part(day).named(f"group {i % 3}") for i, day in enumerate(days(300))]
        assert {title for title, _ in titles(nodes)} >= {"group 0 x 100", "group 1 x 100", "group 2 x 100"}

    def test_what_can_not_be_folded_by_place_is_folded_by_function(self):
        one, two = step("one"), step("two")
        nodes = [one(0)]
        for i in range(4000):
            nodes.append((one, two)[i % 2](nodes[-1], i))
        found = [title for title, _ in titles([nodes[-1]])]
        assert sorted(found) == ["one x 2001", "two x 2000"]

    def test_counts_of_a_folded_box(self):
        graph = compile_graph([step("all")(days(400)).artifact("clean")])
        picture = picture_of(graph, Told(graph, {"clean": "check", "clean_day": "run"}))
        assert picture.boxes[1].lines == ()
        assert [box.action for box in picture.boxes] == ["", "run", "check"]
        assert picture.boxes[1].facts["nodes"] == "400"


class TestTitles:
    def test_items_and_values(self):
        pair = step("pair", nout=2)(dag.value([1, 2]), dag.value(3, name="three"))
        assert [title for title, _ in titles([pair[1]])] == ["[1, 2]", "three", "pair", "[1]"]

    @pytest.mark.parametrize(
        ("url", "title"),
        [
            ("data/raw/x.csv", "raw/x.csv"),
            ("x.csv", "x.csv"),
            ("memory://bucket/raw/x.csv", "memory://bucket/raw/x.csv"),
            ("C:\\data\\x.csv", "data/x.csv"),
            ("d/" + "x" * 80, "..." + "x" * 31),
        ],
    )
    def test_paths(self, url, title):
        assert titles([step("read")(dag.file(url))])[0][0] == title


class TestLayout:
    def test_many_inputs_of_one_box_are_a_grid(self):
        nodes = [step(f"part_{i}")(dag.file(f"in/{i}.csv")) for i in range(40)]
        layout = layouts_of(picture_of(compile_graph([step("total")(nodes)])))[0]
        (bundle,) = layout.bundles
        assert len(bundle.cells) == 40
        assert {len(cell) for cell in bundle.cells} == {2}
        assert len([a for a in layout.arrows if a.bundle is not None]) == 1

    def test_what_a_whole_grid_takes_has_one_arrow_to_it(self):
        parts = [step("part")(i) for i in range(200)]
        groups = [step(f"group_{i}")(parts[i::25]).artifact(f"group_{i}") for i in range(25)]
        picture = picture_of(
            compile_graph([step("total")([step("model")(g).artifact(f"m{k}") for k, g in enumerate(groups)])])
        )
        layout = layouts_of(picture)[0]
        (bundle,) = layout.bundles
        assert [picture.boxes[k].title for k in bundle.shared] == ["part x 200"]
        assert len([a for a in layout.arrows if a.bundle is not None]) == 2
        assert [a for a in layout.arrows if a.start in bundle.shared and not a.hidden and a.bundle is None] == []
        dot = dot_text(picture, layout)
        assert (dot.count("lhead=cluster_0"), dot.count("ltail=cluster_0")) == (1, 1)

    def test_boxes_without_arrows_are_a_grid(self):
        layout = layouts_of(picture_of(compile_graph([step(f"alone_{i}")(i) for i in range(50)])))[0]
        assert [bundle.end for bundle in layout.bundles] == [None]

    @pytest.mark.parametrize("count", [1, 5, 40, 250])
    def test_no_strips(self, count):
        nodes = [step(f"part_{i}")(dag.file(f"in/{i}.csv")) for i in range(count)]
        for targets in ([step("total")(nodes)], nodes, [step(f"alone_{i}")(i) for i in range(count)]):
            root = ET.fromstring(draw(compile_graph(targets)))
            _, _, width, height = map(float, root.get("viewBox").split())
            if count >= 40:
                assert 0.4 < width / height < 4

    def test_an_empty_graph(self):
        for format in FORMATS:
            assert draw(compile_graph([]), format=format)


class Parts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.data, self._inside = [], "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = dict(attrs).get("id") == "data"

    def handle_data(self, data):
        if self._inside:
            self.data += data

    def handle_endtag(self, tag):
        self._inside = False


class TestFormats:
    @pytest.fixture
    def hostile(self):
        node = step("first")(dag.file(HOSTILE), {"k": HOSTILE}).named(HOSTILE)
        return compile_graph([step("last")(node, dag.value(HOSTILE)).artifact("ok")])

    def test_svg_is_xml_with_our_ids_and_both_grounds(self, hostile):
        drawn = draw(hostile, format="svg", title=HOSTILE)
        root = ET.fromstring(drawn)
        groups = {g.get("id") for g in root.iter(f"{SVG}g") if g.get("class") == "node"}
        assert groups == {"n0", "n1", "n2", "n3"}
        texts = " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text"))
        assert f"{HOSTILE[:31]}..." in texts
        assert "prefers-color-scheme: dark" in "".join(root.find(f"{SVG}style").itertext())
        tips = [a.get("{http://www.w3.org/1999/xlink}title") for a in root.iter(f"{SVG}a")]
        assert any(HOSTILE in tip for tip in tips)
        assert not list(root.iter(f"{SVG}script"))

    def test_page_holds_two_scripts_of_ours_and_asks_for_nothing(self, hostile):
        page = draw(hostile, format="html", title=HOSTILE).decode()
        parts = Parts(page)
        assert parts.tags.count("script") == 2
        found = json.loads(parts.data)
        assert set(found) == {"n0", "n1", "n2", "n3"}
        assert dict(found["n0"]["facts"])["file"] == HOSTILE
        assert "default-src 'none'" in page
        assert not re.findall(r"(?:src|href)=[\"']", page)

    def test_dot_labels_can_not_leave_their_place(self, hostile):
        text = draw(hostile, format="dot", title=HOSTILE).decode()
        assert "<script" not in text
        assert len(re.findall(r"^  n\d", text, re.MULTILINE)) == 4 + 3

    def test_mermaid(self, hostile):
        text = draw(hostile, format="mmd").decode()
        assert text.startswith("flowchart LR\n")
        labels = re.findall(r'"([^"]*)"', text)
        assert len(labels) == 4
        assert all(not set("<>&`|{}") & set(re.sub(r"</?b>|<br/>", "", label)) for label in labels)
        assert "n1 --> n3" in text

    def test_png(self, hostile):
        assert draw(hostile, format="png").startswith(b"\x89PNG")

    def test_actions_are_told_by_more_than_colour(self):
        graph = compile_graph([step("b")(step("a")(1)).artifact("c")])
        dot = draw(graph, Told(graph, {"a": "check", "c": "run"}), format="dot", title="flow.py").decode()
        assert "dashed" in dot
        assert ">run 1<" in dot
        assert ">check 1<" in dot

    def test_characters_that_no_file_can_hold(self):
        node = step("x")(dag.file("a\x01\u202eb.csv"))
        for format in FORMATS:
            assert draw(compile_graph([node]), format=format)

    def test_another_format(self):
        with pytest.raises(ConfigError, match="'svg'"):
            draw(compile_graph([]), format="sgv")

    def test_without_graphviz_it_says_what_to_install(self, monkeypatch, tmp_path):
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("PATH", str(tmp_path))
        graph = compile_graph([step("a")(1)])
        with pytest.raises(BackendNotInstalledError, match="pip install graphviz-pure"):
            draw(graph)
        assert draw(graph, format="dot")

    def test_other_graphviz_on_the_path(self, monkeypatch, tmp_path):
        real = Path(sys.executable).parent / "graphviz-pure"
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "dot").symlink_to(real)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        assert draw(compile_graph([step("a")(1)])).startswith(b"<svg")
