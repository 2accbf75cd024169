"""What is measured of a picture is kept by its content, and is what it would be without."""

import shutil

import pandas as pd
import pytest

import leakcard
import phantoms
from leakcard import __main__ as command
from leakcard import images
from leakcard.copies import search

pytestmark = pytest.mark.usefixtures("compute_anew")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("chests")
    phantoms.write_chest(place, num_images={"covid": 4, "normal": 4}, size_px=64)
    first = min((place / "images").iterdir())
    shutil.copy(first, first.with_name("the first again.png"))
    return place / "images"


@pytest.fixture
def table(folder):
    paths = sorted(map(str, folder.iterdir()))
    return pd.DataFrame({"path": paths, "image_id": paths, "label": ["a", "b", *["a"] * 7]})


def count_decoded(monkeypatch):
    decoded, decode = [], images._decode
    monkeypatch.setattr(
        images, "_decode", lambda content, path: decoded.append(path) or decode(content, path)
    )
    return decoded


@pytest.mark.parametrize("copies", search.SEARCHES)
def test_a_second_audit_decodes_nothing_and_says_the_same(table, copies, tmp_path, monkeypatch):
    options = {"copies": copies, "num_permutations": 9}
    without = leakcard.audit(table, **options).to_json()
    options |= {"cache_dir": tmp_path}
    assert leakcard.audit(table, **options).to_json() == without
    decoded = count_decoded(monkeypatch)
    assert leakcard.audit(table, **options).to_json() == without
    assert not decoded


def test_what_was_kept_before_an_audit_ended_is_not_measured_again(table, tmp_path, monkeypatch):
    decoded = count_decoded(monkeypatch)
    leakcard.measure_looks(table[:4], tmp_path)
    leakcard.measure_looks(table, tmp_path)
    assert len(decoded) == len(set(decoded)) == len(table) - 1  # one is a copy of another


def test_a_damaged_file_of_the_cache_is_measured_again(table, tmp_path, monkeypatch):
    options = {"num_permutations": 9, "cache_dir": tmp_path}
    sound = leakcard.audit(table, **options).to_json()
    kept = sorted((tmp_path / "pictures").rglob("*.npz"))
    kept[0].write_bytes(b"")
    kept[-1].write_bytes(kept[-1].read_bytes()[:-200])
    decoded = count_decoded(monkeypatch)
    assert leakcard.audit(table, **options).to_json() == sound
    assert len(decoded) == 2


def test_where_nothing_can_be_kept_it_is_said_and_measured_all_the_same(table, tmp_path):
    (tmp_path / "pictures").write_text("a file where the folder would be")
    with pytest.warns(UserWarning, match="cannot be kept.*Expected a cache folder"):
        found = search.find_duplicates(table, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(found, search.find_duplicates(table))


def test_the_cache_does_not_lie_in_the_audited_images(folder, tmp_path, capsys):
    before = sorted(folder.rglob("*"))
    arguments = ["audit", str(folder), "--out", str(tmp_path), "--cache", str(folder / "cache")]
    assert command.main(arguments) == 2
    assert "outside of" in (said := capsys.readouterr().err) and "choose one with --cache" in said
    (tmp_path / "file").write_text("")
    assert command.main([*arguments[:-1], str(tmp_path / "file" / "cache")]) == 2
    assert "may be written to: choose one with --cache" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before
