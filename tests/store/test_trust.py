"""Signed stores: what is accepted, what is refused, and where the secret goes."""

from __future__ import annotations

import functools
import logging
import os
import pickle
import random
import shutil
import subprocess
import sys
import uuid
import warnings

import msgspec
import pytest
from blake3 import blake3

import dualdag as dag
from dualdag.config import settings
from dualdag.errors import ConfigError, CorruptObjectError, StoreError, UntrustedRecordError
from dualdag.store import Confirmation, open_store
from dualdag.store import _facts as facts
from dualdag.store import _seal as seal_room
from dualdag.store._keys import sealer_of
from dualdag.store._seal import seal, unseal
from dualdag.store._sealer import UNSIGNED, Key, Sealer
from dualdag.testing import StoreSuite
from dualdag.testing._store_suite_base import a_record, a_version

SECRET = "the secret of these tests"
OLDER = "an older secret of these tests"
OTHER = "the secret of somebody else"
ACCEPTED = (CorruptObjectError, UntrustedRecordError)


class TestSigned(StoreSuite):
    """All that holds of a store holds of a signed one."""

    @pytest.fixture(autouse=True)
    def _signed(self, monkeypatch):
        for name, module in list(sys.modules.items()):
            if name.startswith("dualdag.testing._store_suite") and hasattr(module, "open_store"):
                monkeypatch.setattr(module, "open_store", functools.partial(open_store, secret=SECRET))

    @pytest.fixture
    def url(self, tmp_path):
        return str(tmp_path / "store")

    def test_pickling_opens_the_same_store(self, store):
        """Where it arrives there is no secret; `test_the_secret_is_shown_nowhere` has what is left of it."""
        store.put_records([a_record("x")])
        assert pickle.loads(pickle.dumps(store)).get_object(store.put_object(b"x" * 10_000)) == b"x" * 10_000


class TestSignedMemory(TestSigned):
    operations = frozenset({"second writer"})

    @pytest.fixture
    def url(self):
        return f"memory://{uuid.uuid4().hex}"


@dag.task
def count(path, n):
    with open(path, "a") as file:
        file.write(f"{n}\n")
    return [n] * 3


def runs(path):
    return path.read_text().count("\n") if path.exists() else 0


def sealed_files(folder):
    """Return the sealed files of a store in a folder: path in the store -> bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.partition("/")[0] not in ("objects", "cache", "layout.json", "damaged"):
            found[name] = path.read_bytes()
    return found


def a_signed_store(folder, secret=SECRET):
    """Return a folder with a file of every kind that this module knows."""
    store = open_store(str(folder), secret=secret)
    for n in range(3):
        store.put_records([a_record(f"one {n}"), a_record(f"two {n}")])
    store.supersede(a_record("one 0", "other"))
    store.mark_unstable(b"task".ljust(20, b"."))
    made = store.add_version(a_version(store, "Sales", [1, 2]))
    store.add_version(a_version(store, "Sales", [3]))
    store.confirm(Confirmation("Sales", made.number, 1.0, b"t" * 20, b"o" * 20))
    store.add_version(a_version(store, "gone", 1))
    store.delete("gone")
    journal = store.start_run("r1", {"n": 1})
    journal.append({"kind": "done"})
    journal.close()
    store.close()
    return folder


KINDS = {
    "batches": (facts.Batch,),
    "facts": (facts.Fact,),
    "unstable": (facts.Unstable,),
    "keys": (facts.Signs,),
    "artifacts": (facts.Version, facts.Tombstone, facts.Confirmation),
    "runs": (facts.Begin, facts.Events, facts.End),
}


def read_any(sealer, path, data):
    """Read a file as whatever may lie there."""
    for kind in KINDS[path.partition("/")[0]]:
        try:
            return sealer.unseal(data, kind, path)
        except CorruptObjectError as error:
            last = error
    raise last


# The signature.


def test_unsigned_bytes_are_what_they_were():
    value = facts.Batch([a_record("x")], [])
    data = seal(value, "batches/1")
    assert data == UNSIGNED.seal(value, "batches/1") == Sealer().seal(value, "batches/1")
    assert data[7] == 0
    assert data[40:] == msgspec.msgpack.encode(value)


def test_a_signature_lies_between_checksum_and_document():
    value = facts.Unstable(b"t")
    plain, signed = seal(value, "p"), sealer_of(SECRET).seal(value, "p")
    assert (signed[7], len(signed)) == (40, len(plain) + 40)
    assert signed[80:] == plain[40:]
    assert signed[40:48] == Key(SECRET.encode()).id
    # Whoever has no secret can read it, and knows the checksum of its bytes.
    assert unseal(signed, facts.Unstable, "p") == value
    with pytest.raises(CorruptObjectError):
        unseal(signed, facts.Unstable, "q")


@pytest.mark.parametrize("trust", ["sign", "require"])
def test_what_each_mode_accepts(trust):
    value = facts.Unstable(b"t")
    sealer = sealer_of([SECRET, OLDER], trust)
    assert sealer.unseal(sealer.seal(value, "p"), facts.Unstable, "p") == value
    assert sealer.unseal(sealer_of(OLDER).seal(value, "p"), facts.Unstable, "p") == value
    with pytest.raises(UntrustedRecordError, match="another key"):
        sealer.unseal(sealer_of(OTHER).seal(value, "p"), facts.Unstable, "p")
    if trust == "sign":
        assert sealer.unseal(seal(value, "p"), facts.Unstable, "p") == value
    else:
        with pytest.raises(UntrustedRecordError, match="not signed"):
            sealer.unseal(seal(value, "p"), facts.Unstable, "p")
    assert UNSIGNED.unseal(sealer.seal(value, "p"), facts.Unstable, "p") == value


def test_the_first_secret_signs():
    signed = sealer_of([SECRET, OLDER]).seal(facts.Unstable(b"t"), "p")
    assert signed == sealer_of(f"{SECRET}, {OLDER}").seal(facts.Unstable(b"t"), "p")
    assert signed == sealer_of(SECRET).seal(facts.Unstable(b"t"), "p")


def test_a_layout_to_come_is_believed_of_signed_files_only(monkeypatch):
    sealer = sealer_of(SECRET)
    with monkeypatch.context() as patch:
        patch.setattr(seal_room, "LAYOUT", 9)
        theirs, forged = sealer.seal(facts.Unstable(b"t"), "p"), seal(facts.Unstable(b"t"), "p")
    with pytest.raises(StoreError, match="upgrade"):
        sealer.unseal(theirs, facts.Unstable, "p")
    assert (sealer.layout_of(theirs, "p"), sealer.layout_of(forged, "p")) == (9, None)
    with pytest.raises(UntrustedRecordError):
        sealer.unseal(forged, facts.Unstable, "p")


def test_everything_sealed_is_signed(tmp_path):
    found = sealed_files(a_signed_store(tmp_path / "store"))
    assert {path.partition("/")[0] for path in found} == set(KINDS)
    assert {data[6] for data in found.values()} >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 20}
    sealer = sealer_of(SECRET)
    for path, data in found.items():
        assert data[7] == 40, path
        read_any(sealer, path, data)


def test_the_modules_that_seal_use_the_store_s_sealer():
    root = os.path.dirname(dag.__file__)
    for folder, _, names in os.walk(root):
        for name in (name for name in names if name.endswith(".py")):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            if name not in ("_seal.py", "_sealer.py"):
                for line in text.splitlines():
                    imported = line.partition("dualdag.store._seal import")[2].replace(",", " ").split()
                    assert not {"seal", "unseal", "layout_of"} & set(imported), name


# Tampering.


def tampered(rng, files):
    """Return a path and bytes that nobody with the key wrote there."""
    path, data = rng.choice(files)
    how = rng.randrange(9)
    head, signature, body = bytearray(data[:8]), bytearray(data[40:80]), bytearray(data[80:])
    if how == 0:  # a valid file at another place
        _other, data = rng.choice([one for one in files if one[0] != path])
        if rng.random() < 0.5:
            return path, data
        head, signature, body = bytearray(data[:8]), bytearray(data[40:80]), bytearray(data[80:])
    elif how == 1:  # signed with another key
        return path, _signed(rng.choice([b"x", SECRET[:-1].encode()]), head, path, body)
    elif how == 2:  # unsigned
        head[7], signature = 0, bytearray()
    elif how == 3:  # an edited document
        at = rng.randrange(len(body))
        body[at] ^= 1 << rng.randrange(8)
    elif how == 4:
        body = body[: rng.randrange(len(body))] if rng.random() < 0.5 else body + rng.randbytes(rng.randrange(1, 9))
    elif how == 5:  # an edited signature
        at = rng.randrange(40)
        signature[at] ^= 1 << rng.randrange(8)
    elif how == 6:  # a signature of another length
        head[7] = rng.randrange(1, 40)
        signature = signature[: head[7]]
    elif how == 7:  # of another kind, layout, seal
        at = rng.choice([4, 5, 6])
        head[at] = (head[at] + rng.randrange(1, 255)) % 256
    else:  # the signature of another file
        signature = bytearray(rng.choice([one for one in files if one[0] != path])[1][40:80])
    return path, _checked(head, path, signature, body)


def _checked(head, path, signature, body):
    """Return a file whose checksum fits: everybody can make one."""
    hasher = blake3(bytes(head))
    hasher.update(path.encode() + b"\0")
    hasher.update(bytes(body))
    return bytes(head) + hasher.digest() + bytes(signature) + bytes(body)


def _signed(secret, head, path, body):
    key = Key(secret.ljust(16, b"-"))
    return _checked(head, path, key.sign(bytes(head), path, bytes(body)), body)


@pytest.mark.parametrize("trust", ["sign", "require"])
def test_of_ten_thousand_tampered_files_none_is_accepted(tmp_path, trust):
    files = list(sealed_files(a_signed_store(tmp_path / "store")).items())
    sealer = sealer_of([SECRET, OLDER], trust)
    rng = random.Random(20_261_121)
    accepted = tried = 0
    while tried < 10_000:
        path, data = tampered(rng, files)
        if dict(files)[path] == data or (trust == "sign" and len(data) > 7 and data[7] == 0):
            continue
        tried += 1
        try:
            read_any(sealer, path, data)
        except (*ACCEPTED, StoreError):
            continue
        accepted += 1
    assert (tried, accepted) == (10_000, 0)


# Stores.


def replace_file(folder, path, data):
    (folder / path).unlink()
    (folder / path).write_bytes(data)


def test_versions_that_are_not_accepted(tmp_path):
    folder = a_signed_store(tmp_path / "store")
    files = sealed_files(folder)
    path = next(path for path in files if path.endswith("versions/00000002"))
    first = files[path.replace("00000002", "00000001")]
    unsigned = seal(unseal(files[path], facts.Version, path), path)
    edited = _checked(bytearray(files[path][:8]), path, files[path][40:80], files[path][80:].replace(b"json", b"JSON"))
    for data, error in ((unsigned, "not signed"), (edited, "altered"), (_moved(first, path), "altered")):
        replace_file(folder, path, data)
        store = open_store(str(folder), secret=SECRET)
        with pytest.raises(UntrustedRecordError, match=error) as caught:
            store.version("Sales")
        assert "Sales" in str(caught.value)
        assert SECRET not in str(caught.value)
        with pytest.raises(UntrustedRecordError):
            store.latest("Sales")
        with pytest.warns(UserWarning, match="not accepted"):
            assert [row.version for row in store.versions("Sales")] == [1]
        with dag.configure(store=str(folder), secret=SECRET), pytest.raises(UntrustedRecordError):
            dag.load("Sales")
        assert store.version("Sales", 1).number == 1
        # Numbers go on, and what was there stays.
        assert store.add_version(a_version(store, "Sales", [4])).number == 3
        assert (folder / path).read_bytes() == data
        (folder / path.replace("00000002", "00000003")).unlink()
        store.close()


def _moved(data, path):
    return _checked(bytearray(data[:8]), path, data[40:80], data[80:])


def test_records_that_are_not_accepted_count_as_absent_with_one_warning(tmp_path):
    url = str(tmp_path / "store")
    mine = open_store(url, trust="unsigned")
    for n in range(20):
        mine.put_records([a_record(f"unsigned {n}")])
    mine.close()
    files = sealed_files(tmp_path / "store")
    with pytest.warns(UserWarning, match="20 batches of records are not accepted") as told:
        store = open_store(url, secret=SECRET)
        assert store.records([a_record("unsigned 3").trace]) == {}
    assert len(told) == 1
    one = a_record("unsigned 3", "signed")
    assert store.put_records([one]) == [one]
    store.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = open_store(url, secret=SECRET)
        assert again.records([one.trace]) == {one.trace: one}
        again.close()
        # In the other mode the older record, which is unsigned, comes first.
        both = open_store(url, secret=SECRET, trust="sign")
        assert both.records([one.trace])[one.trace].digest != one.digest
        both.close()
    assert files.items() <= sealed_files(tmp_path / "store").items()


def test_a_fact_that_is_not_accepted_never_brings_back_what_it_replaced(tmp_path):
    url = str(tmp_path / "store")
    store = open_store(url, secret=SECRET)
    one, two = a_record("x", "one"), a_record("x", "two")
    store.put_records([one])
    store.supersede(two)
    store.close()
    path = f"facts/{one.action.hex()}-000002"
    (tmp_path / "store" / path).write_bytes(seal(facts.Fact(one), path))
    with pytest.warns(UserWarning, match="one of the superseding facts is not accepted"):
        again = open_store(url, secret=SECRET)
        assert again.records([one.action]) == {}
    assert again.supersede(two) == two
    assert (tmp_path / "store" / f"facts/{one.action.hex()}-000003").exists()
    again.close()
    fresh = open_store(url, secret=SECRET)
    assert fresh.records([one.action]) == {one.action: two}
    fresh.close()


def test_an_index_that_others_can_write_is_not_read(tmp_path):
    url = str(tmp_path / "store")
    unsigned = open_store(url)
    unsigned.put_records([a_record("forged")])
    unsigned.close()
    assert (tmp_path / "store/cache/index.sqlite").exists()
    with pytest.warns(UserWarning, match="not accepted"):
        store = open_store(url, secret=SECRET)
        assert store.records([a_record("forged").trace]) == {}
        assert not str(store._index_path()).startswith(url)
    # Another secret, or mode, has an index of its own.
    names = {
        open_store(url, secret=secret, trust=trust)._index_path()
        for secret, trust in ((SECRET, "require"), (SECRET, "sign"), (OLDER, None), ([SECRET, OLDER], None))
    }
    assert len(names) == 4
    store.close()


@pytest.mark.parametrize("marker", ["as it was", "another", "gone"])
def test_records_that_were_taken_away_are_told_of(tmp_path, marker):
    url = str(tmp_path / "store")
    store = open_store(url, secret=SECRET)
    for n in range(3):
        store.put_records([a_record(f"{n}")])
    store.supersede(a_record("0", "other"))
    store.records([a_record("1").trace])
    store.close()
    (tmp_path / "store/batches/00000000/000000000002").unlink()
    if marker != "as it was":
        (tmp_path / "store/layout.json").unlink()
    if marker == "another":
        assert open_store(str(tmp_path / "new")).save(b"x" * 10_000)
        shutil.copy(tmp_path / "new/layout.json", tmp_path / "store")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        open_store(url, secret=SECRET).records([a_record("2").trace])
    assert any("newest records that were seen here" in str(one.message) for one in told)


def test_facts_that_were_taken_away_are_told_of(tmp_path):
    url = str(tmp_path / "store")
    store = open_store(url, secret=SECRET)
    store.put_records([a_record("0")])
    store.supersede(a_record("0", "one"))
    store.supersede(a_record("0", "two"))
    store.close()
    for path in (tmp_path / "store/facts").glob("*-000002"):
        path.unlink()
    with pytest.warns(UserWarning, match="later facts about some results were seen here"):
        again = open_store(url, secret=SECRET)
        again.records([a_record("0").trace])
        again.close()


# Who may write.


def test_a_run_without_the_key_adds_nothing_to_a_signed_store(tmp_path):
    url, marks = str(tmp_path / "store"), tmp_path / "marks"
    node = count(str(marks), 1).artifact("one")
    with dag.configure(store=url, progress="off", backend="sync"):
        assert dag.run(node, secret=SECRET) == [1] * 3
        before = sealed_files(tmp_path / "store")
        # What is there can be read, and what is not there is not made.
        assert dag.run(node) == [1] * 3
        assert dag.load("one") == [1] * 3
        for secret, what in ((None, "no secret is set"), (OTHER, "new,old")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pytest.raises(UntrustedRecordError, match=what) as caught:
                    dag.run(count(str(marks), 2), secret=secret)
            assert OTHER not in str(caught.value)
        assert sealed_files(tmp_path / "store") == before
        assert runs(marks) == 1
        # Asked for, it is done, by the next numbers; those with the secret are not led astray.
        dag.run(count(str(marks), 2).artifact("one"), trust="unsigned")
        # Claims go once nobody is at work whom they could tell anything.
        facts = {path: data for path, data in before.items() if not path.startswith("claims/")}
        assert facts.items() <= sealed_files(tmp_path / "store").items()
        with pytest.raises(UntrustedRecordError), dag.configure(secret=SECRET):
            dag.load("one")
        with dag.configure(secret=SECRET):
            assert dag.load("one", 1) == [1] * 3
            with pytest.warns(UserWarning, match="not accepted"):
                assert dag.run(node) == [1] * 3
            assert (dag.load("one"), dag.store().latest("one").number) == ([1] * 3, 3)
    assert runs(marks) == 2


def test_keys_are_rotated(tmp_path):
    url = str(tmp_path / "store")
    for secret in (OLDER, [SECRET, OLDER], SECRET):
        store = open_store(url, secret=secret)
        store.add_version(a_version(store, "x", str(secret)))
        store.close()
    assert len(list((tmp_path / "store/keys").iterdir())) == 2
    store = open_store(url, secret=SECRET)
    with pytest.raises(UntrustedRecordError, match="another key"):
        store.version("x", 1)
    assert [store.version("x", n).number for n in (2, 3)] == [2, 3]


def test_an_old_store_is_moved_over(tmp_path):
    url, marks = str(tmp_path / "store"), tmp_path / "marks"
    with dag.configure(store=url, progress="off", backend="sync"):
        dag.run(count(str(marks), 1).artifact("one"))
        with dag.configure(secret=SECRET, trust="sign"):
            assert dag.run(count(str(marks), 1).artifact("one")) == [1] * 3
            dag.run(count(str(marks), 2).artifact("two"))
        # Others go on without the secret meanwhile.
        dag.run(count(str(marks), 3))
        assert runs(marks) == 3
        with dag.configure(secret=SECRET), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dag.run([count(str(marks), n).artifact(name) for n, name in ((1, "one"), (2, "two"))])
            assert (dag.load("one"), dag.load("two")) == ([1] * 3, [2] * 3)
    assert runs(marks) == 4


def test_an_old_store_is_copied_into_a_signed_one(tmp_path):
    old, new, marks = str(tmp_path / "old"), str(tmp_path / "new"), tmp_path / "marks"
    node = count(str(marks), 1).artifact("one")
    with dag.configure(progress="off", backend="sync"):
        dag.run(node, store=old)
        with dag.configure(secret=SECRET, trust="sign"):
            dag.store(old).copy_to(dag.store(new))
        with dag.configure(secret=SECRET):
            assert dag.load("one", store=new) == [1] * 3
            assert dag.plan(node, store=new).counts["run"] == 0
            # A store that is not accepted is not copied either: its records would be signed on the way.
            with pytest.raises(UntrustedRecordError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dag.store(old).copy_to(dag.store(str(tmp_path / "third")), "one")
    assert runs(marks) == 1
    assert all(data[7] == 40 for data in sealed_files(tmp_path / "new").values())


def test_a_cadence_whose_last_version_is_not_accepted_is_due(tmp_path):
    url, marks = str(tmp_path / "store"), tmp_path / "marks"
    with dag.configure(store=url, progress="off", backend="sync"):
        dag.run([count(str(marks), 1).artifact("daily", "1d"), count(str(marks), 2).artifact("byhand", "manual")])
        with dag.configure(secret=SECRET):
            with pytest.warns(UserWarning, match="not accepted"):
                plan = dag.plan(count(str(marks), 1).artifact("daily", "1d"))
            assert plan.counts["run"] == 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pytest.raises(UntrustedRecordError, match="byhand"):
                    dag.plan(count(str(marks), 2).artifact("byhand", "manual"))


# The secret.


def test_where_a_secret_comes_from(tmp_path, monkeypatch):
    signed = sealer_of(SECRET).seal(facts.Unstable(b"t"), "p")

    def of(secret):
        return sealer_of(secret).seal(facts.Unstable(b"t"), "p")

    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n\n{OLDER}\n")
    file.chmod(0o600)
    assert (
        of(f"file:{file}") == of(lambda: SECRET) == of(lambda: SECRET.encode()) == of(lambda: f"file:{file}") == signed
    )
    assert of(SECRET.encode()) == signed
    assert len(sealer_of(f"file:{file}").keys) == 2
    monkeypatch.setenv("DUALDAG_SECRET", f"file:{file}")
    monkeypatch.setenv("DUALDAG_TRUST", "sign")
    assert (settings().secret, settings().trust) == (f"file:{file}", "sign")
    assert dag.store("memory://where")._sealer.trust == "sign"
    monkeypatch.delenv("DUALDAG_TRUST")
    with dag.configure(secret=lambda: SECRET):
        assert dag.store("memory://where")._sealer.keys[0].id == Key(SECRET.encode()).id


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such rights")
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o602, 0o620])
def test_a_secret_that_others_may_read_is_refused(tmp_path, mode):
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        sealer_of(f"file:{file}")
    assert SECRET not in str(caught.value)


def broken():
    raise RuntimeError("no vault")


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("short", "too short"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "too short"),
        (f"{SECRET},short", "too short"),
        (b"0123456789abcde", "too short"),
        ("", "empty"),
        (" , ", "empty"),
        ([], "empty"),
        (7, "not a int"),
        (lambda: None, "not a NoneType"),
        (lambda: broken, "callable"),
        (broken, "RuntimeError"),
        ("file:nowhere", "can't be read"),
    ],
)
def test_secrets_that_are_refused(secret, told):
    with pytest.raises(ConfigError, match=told) as caught:
        open_store("memory://refused", secret=secret)
    assert SECRET not in str(caught.value)
    assert "short," not in str(caught.value)


def test_a_mode_without_a_secret():
    for trust in ("sign", "require"):
        with pytest.raises(ConfigError, match="needs a secret"):
            open_store("memory://refused", trust=trust)
    with pytest.raises(ConfigError, match="use one of"):
        settings(trust="always")
    with pytest.raises(ConfigError, match="use one of"):
        open_store("memory://refused", secret=SECRET, trust="always")


def test_a_secret_in_the_project_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text(f'[tool.dualdag]\nsecret = "{SECRET}"\n')
    with pytest.raises(ConfigError, match="whoever reads the file") as caught:
        settings()
    assert SECRET not in str(caught.value)
    (tmp_path / "pyproject.toml").write_text('[tool.dualdag]\nsecret = "file:key"\n')
    (tmp_path / "sub").mkdir()
    os.chdir(tmp_path / "sub")
    assert settings().secret == f"file:{tmp_path / 'key'}"


def test_the_secret_is_shown_nowhere(tmp_path, monkeypatch, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DUALDAG_SECRET", SECRET)
    store = dag.store(str(tmp_path / "store"))
    key = store._sealer.keys[0]
    shown = [repr(settings()), repr(store), repr(store._sealer), repr(key), str(vars(store)), repr(pickle.dumps(store))]
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(key)
    arrived = pickle.loads(pickle.dumps(store))
    assert arrived._sealer == Sealer((), "require", anyhow=True)
    assert arrived.load(arrived.save([1]).checksum, "json") == [1]
    with pytest.raises(StoreError, match="with the secret"):
        arrived.put_records([a_record("x")])
    store.add_version(a_version(store, "x", 1))
    with pytest.raises(UntrustedRecordError, match="can't be checked here"):
        arrived.version("x")
    done = subprocess.run(
        [sys.executable, "-m", "dualdag", "doctor", "--store", str(tmp_path / "store")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    shown += [done.stdout, done.stderr, *capfd.readouterr(), caplog.text]
    for path in (tmp_path / "store").rglob("*"):
        shown.append(repr(path.read_bytes()) if path.is_file() else "")
    assert not any(SECRET in text or key._key.hex() in text or repr(key._key) in text for text in shown)


# Housekeeping.


def test_gc_removes_nothing_that_others_signed(tmp_path):
    folder, large = tmp_path / "store", [b"x" * 10_000]
    theirs = open_store(str(folder), secret=OLDER)
    theirs.add_version(a_version(theirs, "theirs", large[0]))
    unsigned = open_store(str(folder), trust="unsigned")
    unsigned.add_version(a_version(unsigned, "unsigned", large[0] + b"y"))
    mine = open_store(str(folder), secret=[SECRET, OLDER])
    mine.add_version(a_version(mine, "mine", large[0] + b"z"))
    garbage = mine.put_object(b"g" * 10_000)
    mine.close()
    for secret, trust in ((SECRET, None), ([SECRET, OLDER], "sign")):
        store = open_store(str(folder), secret=secret, trust=trust)
        assert store.gc(grace=0, dry_run=False).objects == (garbage is not None)
        garbage = None
    reader = open_store(str(folder), trust="unsigned")
    for name in ("theirs", "unsigned", "mine"):
        found = reader.version(name)
        assert len(reader.load(found.checksum, found.codec)) >= 10_000
    for opened in (open_store(str(folder)), open_store(str(folder), secret=OTHER)):
        for call in (lambda opened=opened: opened.gc(dry_run=False), lambda opened=opened: opened.delete("mine")):
            with pytest.raises(UntrustedRecordError):
                call()


def test_verify_tells_what_is_not_accepted_and_leaves_it(tmp_path):
    folder = a_signed_store(tmp_path / "store")
    path = next(path for path in sealed_files(folder) if path.endswith("Sales~") or "versions/00000002" in path)
    forged = seal(unseal(sealed_files(folder)[path], facts.Version, path), path)
    replace_file(folder, path, forged)
    (folder / "keys" / ("0" * 16)).write_bytes(seal(facts.Signs(1.0), f"keys/{'0' * 16}"))
    before = sealed_files(folder)
    store = open_store(str(folder), secret=SECRET)
    found = store.check(repair=True)
    assert {one.path for one in found.problems if one.kind == "untrusted"} == {path, f"keys/{'0' * 16}"}
    assert sealed_files(folder) == before
    # Who has no key mends nothing of others'.
    damaged = "batches/00000000/000000000001"
    (folder / damaged).unlink()
    (folder / damaged).write_bytes(before[damaged][:-1])
    with pytest.raises(UntrustedRecordError):
        open_store(str(folder)).check(repair=True)
    assert store.check(repair=True).problems
    assert store._sealer.unseal((folder / damaged).read_bytes(), facts.Batch, damaged).records == []


def test_the_command_line_tells_of_what_is_not_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("DUALDAG_STORE", str(a_signed_store(tmp_path / "store")))

    def command(*arguments, secret):
        variables = {**os.environ, "DUALDAG_SECRET": secret}
        line = [sys.executable, "-m", "dualdag", *arguments]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=variables)
        assert secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    assert command("get", "Sales", secret=SECRET).stdout.split() == ["[3]"]
    refused = command("get", "Sales", secret=OTHER)
    assert (refused.returncode, "another key" in refused.stderr) == (3, True)
    assert command("get", "Sales", secret="Sh0rt").returncode == 2


def test_an_empty_secret_is_not_none(tmp_path, monkeypatch):
    monkeypatch.setenv("DUALDAG_SECRET", "")
    with pytest.raises(ConfigError, match="is empty: unset it"):
        dag.store(tmp_path / "store")
    with dag.configure(secret=SECRET):
        assert dag.store(tmp_path / "store").artifacts() == []
    monkeypatch.setenv("DUALDAG_TRUST", "unsigned")
    assert dag.store(tmp_path / "store").artifacts() == []


def test_the_wrong_secret_is_told_of_once_a_listing(tmp_path):
    store = open_store(str(tmp_path / "store"), secret=SECRET)
    for name in "abc":
        store.add_version(a_version(store, name, name))
        store.add_version(a_version(store, name, name * 2))
        store.start_run(name, {}).close()
    other = open_store(store.url, secret="of somebody else entirely")
    for ask, count in ((other.artifacts, "6 versions"), (other.runs, "3 pieces")):
        with pytest.warns(UserWarning, match="give the secret of that key too") as told:
            assert ask() == []
        assert len(told) == 1
        assert count in str(told[0].message)
    assert {one.kind for one in other.check().problems} == {"untrusted"}
    with pytest.raises(UntrustedRecordError, match="is not whole: untrusted: "):
        other.verify()
    assert not any(one.path in one.told for one in other.check().problems)


def test_a_secret_read_from_a_file_is_the_file_s(tmp_path):
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (tmp_path / "key").chmod(0o600)
    given = [SECRET, f"file:{tmp_path / 'key'}", (tmp_path / "key").read_bytes(), (tmp_path / "key").read_text]
    assert len({sealer_of(one).keys[0].id for one in given}) == 1
