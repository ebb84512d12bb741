"""What is known of input files without reading them."""

from __future__ import annotations

import os
import time

import pytest

import dualdag as dag
from dualdag.errors import DualdagError, GraphError
from dualdag.graph import compile_graph
from dualdag.hashing import DigestCache, digest_file, file_token, hash_key
from dualdag.planning import FileView


@dag.task
def use(*paths):
    return paths


@pytest.fixture
def data(tmp_path):
    for name in ("a.csv", "b.csv", "c.txt"):
        write(tmp_path / name, name)
    return tmp_path


def write(path, text):
    path.write_text(text)
    old = time.time_ns() - 10_000_000_000
    os.utime(path, ns=(old, old))


def scanned(*nodes, cache=None):
    graph = compile_graph([use(*nodes)])
    view = FileView(cache)
    view.scan(graph)
    return graph, view


def learn_all(view):
    view.learn({url: digest_file(url) for urls in view.unknown.values() for url in urls})


def test_what_was_never_read_is_unknown(data):
    graph, view = scanned(dag.file(data / "a.csv"), dag.files(data / "*.csv"))
    assert view.known == {}
    assert view.unknown == {0: [str(data / "a.csv")], 1: [str(data / "a.csv"), str(data / "b.csv")]}
    assert view.value(0) == str(data / "a.csv")
    assert view.value(1) == view.urls(1) == view.unknown[1]
    assert len(graph) == 3


def test_what_was_read_is_known_for_this_view(data):
    _, view = scanned(dag.file(data / "a.csv"), dag.files(data / "*.csv"))
    view.learn({str(data / "a.csv"): digest_file(str(data / "a.csv"))})
    assert view.known == {0: digest_file(str(data / "a.csv"))}
    assert view.unknown == {1: [str(data / "b.csv")]}
    learn_all(view)
    assert view.unknown == {}
    assert len(view.known[0]) == 32


def test_a_list_of_files_is_known_by_names_and_contents(data, tmp_path):
    _, view = scanned(dag.files(data / "*.csv"))
    learn_all(view)
    digests = [digest_file(str(data / name)) for name in ("a.csv", "b.csv")]
    assert view.known[0] == hash_key(b"files", b"a.csv", digests[0], b"b.csv", digests[1])
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("a.csv", "b.csv"):
        write(other / name, name)
    _, moved = scanned(dag.files(other / "*.csv"))
    learn_all(moved)
    assert moved.known[0] == view.known[0]
    (other / "b.csv").rename(other / "d.csv")
    _, renamed = scanned(dag.files(other / "*.csv"))
    learn_all(renamed)
    assert renamed.known[0] != view.known[0]


def test_names_count_from_the_folder_above_the_first_pattern(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder / "x" / "y").mkdir(parents=True)
        write(tmp_path / folder / "x" / "y" / "f.csv", "same")
    digests = []
    for folder in ("one", "two"):
        _, view = scanned(dag.files(tmp_path / folder / "**" / "*.csv"))
        learn_all(view)
        digests.append(view.known[0])
    assert digests[0] == digests[1] == hash_key(b"files", b"x/y/f.csv", digest_file(str(tmp_path / "one/x/y/f.csv")))


def test_a_cache_makes_it_known_without_a_read(data, tmp_path):
    cache = DigestCache(tmp_path / "cache" / "files.sqlite")
    url = str(data / "a.csv")
    os_token = file_token(url)
    cache.put(url, os_token, digest_file(url))
    _, view = scanned(dag.file(url), cache=cache)
    # Just made, the file's ctime is too young to tell: then it is read again.
    assert (view.known == {0: digest_file(url)}) != os_token.racy
    cache.close()


def test_no_match_is_an_empty_list(data):
    _, view = scanned(dag.files(data / "*.nothing"))
    assert view.known == {0: hash_key(b"files")}
    assert view.value(0) == []


def test_a_missing_file_is_told_with_its_node_where_it_is_looked_at(data):
    graph, view = scanned(dag.file(data / "gone.csv"), dag.file(data / "a.csv"))
    assert list(view.missing) == [0]
    with pytest.raises(GraphError, match=r"gone.csv: there is no such file, input '.*gone.csv' made at .*\.py:\d+\."):
        view.check(graph)
    with pytest.raises(FileNotFoundError):
        view.check(graph)
    with pytest.raises(DualdagError):
        view.check(graph, bytearray(b"\1\1\1"))
    view.check(graph, bytearray(b"\0\1\1"))


def test_a_folder_in_place_of_a_file_is_told_and_spoils_no_other(data):
    (data / "folder").mkdir()
    graph, view = scanned(dag.file(data / "folder"), dag.file(data / "a.csv"))
    assert view.unknown == {1: [str(data / "a.csv")]}
    with pytest.raises(GraphError, match="is a folder: name the files in it"):
        view.check(graph)


def test_files_of_other_places_are_asked_too():
    import fsspec

    with fsspec.open("memory://view/a.csv", "w") as f:
        f.write("1")
    _, view = scanned(dag.file("memory://view/a.csv"), dag.files("memory://view/*.csv"))
    learn_all(view)
    assert set(view.known) == {0, 1}
    assert view.value(0) == "memory://view/a.csv"
    assert view.known[1] == hash_key(b"files", b"a.csv", view.known[0])
