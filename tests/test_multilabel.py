"""Sets whose images have several labels: a card a label, side by side."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import leakcard
from leakcard import __main__ as command
from leakcard import multilabel


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """Images of noise; "mass" follows sex, "edema" follows nothing; one image is in both splits."""
    folder = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(120):
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
        has_mass, has_edema = rng.random(2) < 0.5
        names = ["mass"] * int(has_mass) + ["edema"] * int(has_edema)
        sex = "F" if has_mass == (rng.random() < 0.95) else "M"
        split = "test" if number % 3 == 0 else "train"
        rows.append((f"{number}.png", " | ".join(names) or "none of them", split, sex))
    rows.append(("0.png", rows[0][1], "train", rows[0][3]))
    table = pd.DataFrame(rows, columns=["path", "label", "split", "sex"])
    table.to_csv(folder / "list.csv", index=False)
    return folder / "list.csv"


def test_each_label_has_a_card_and_a_trait_that_follows_one_fails_there_alone(listed):
    cards = multilabel.audit_labels(leakcard.read_images(listed))
    assert list(cards) == ["edema", "mass", "none of them"]
    assert cards["mass"].get_row("sex").status == "fail"
    assert cards["edema"].get_row("sex").status != "fail"
    assert set(cards["edema"].table["label"]) == {"edema", "no edema"}
    for card in cards.values():
        assert card.get_row("duplicates_across_splits").status == "fail"
        assert any("One of 3 labels" in note for note in card.about["notes"])


def test_the_command_writes_a_page_that_leads_to_every_card(listed, tmp_path, capsys):
    out = tmp_path / "cards"
    assert command.main(["audit", str(listed), "--multi-label", "--out", str(out)]) == 1
    page = (out / "index.html").read_text(encoding="utf-8")
    for place in ("01_edema", "02_mass", "03_none_of_them"):
        assert (out / place / "report_card.html").is_file()
        assert f'href="{place}/report_card.html"' in page
    said = capsys.readouterr().out
    assert "mass: " in said and "edema: " in said and str(out / "index.html") in said


def test_what_does_not_fit_is_refused_in_words(listed, tmp_path, capsys):
    out = ["--out", str(tmp_path / "cards")]
    assert command.main(["audit", str(listed), "--multi-label", ";", *out]) == 2
    assert "No image has several labels" in capsys.readouterr().err
    assert command.main(["audit", str(listed), "--multi-label", "--calibrate", *out]) == 2
    assert "--calibrate is about one card" in capsys.readouterr().err


def test_where_no_image_can_be_read_the_exit_code_is_not_that_of_a_pass(tmp_path, capsys):
    labels = ["a|b", "a", "b", "a|b"] * 10
    rows = [
        (f"{number}.png", label, "test" if number % 8 < 4 else "train")
        for number, label in enumerate(labels)
    ]
    folder, out = tmp_path / "set", tmp_path / "cards"
    folder.mkdir()
    for name, _, _ in rows:
        (folder / name).write_bytes(f"no picture, {name}".encode())
    pd.DataFrame(rows, columns=["path", "label", "split"]).to_csv(folder / "l.csv", index=False)
    assert command.main(["audit", str(folder / "l.csv"), "--multi-label", "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert "no image could be read" in told.err and "cannot be read: 0.png" in told.out
    assert "40 images could not be read" in (out / "index.html").read_text(encoding="utf-8")


def test_several_names_in_a_label_are_said_where_they_were_not_declared(listed):
    card = leakcard.audit(leakcard.read_images(listed), pairs=pd.DataFrame(), checks={})
    (note,) = [note for note in card.about["notes"] if "--multi-label" in note]
    assert "'edema'" not in note and "mass | edema" in note
