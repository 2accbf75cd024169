"""The classes of each system, from the same readers and from phantoms."""

import pandas as pd
import pytest

import phantoms
from leakage import data, published
from leakage.data import study as _study

NUM_IMAGES = {"covid": 4, "normal": 6, "pneumonia": 12}
EXPECTED = {
    "S1": {"covid": 4, "normal": 6, "pneumonia": 12},
    "S2": {"normal": 6, "pneumonia": 12},
    "S3": {"no finding": 6, "covid": 4},
}


@pytest.mark.parametrize("system", ["S1", "S2", "S3", "S4"])
def test_phantoms_have_the_classes_of_every_system(system, tmp_path):
    controls = "adults" if system == "S3" else "children"
    options = {"controls": (controls,), "num_images": NUM_IMAGES, "size_px": 48}
    pool = data.read_study(phantoms.draw_study(tmp_path, **options), controls, classes=system)
    counts = pool["label"].value_counts().to_dict()
    assert set(counts) == set(published.STUDY_CLASSES[system])
    if system in EXPECTED:
        assert counts == EXPECTED[system]
    else:
        kinds = pool.groupby("findings")["label"].unique().map(list).to_dict()
        assert kinds["bacteria"] == ["bacterial"] and kinds["virus"] == ["viral"]
        assert counts["bacterial"] + counts["viral"] == 12 and counts["healthy"] == 6


def test_what_is_of_no_class_is_left_out_and_inferred_patients_keep_their_label():
    pool = pd.DataFrame(
        {"label": ["normal", "pneumonia", "pneumonia"], "findings": ["normal", "virus", "Edema"]}
    )
    pool.attrs["patient_id_inferred"] = ["normal"]
    chosen = _study._choose_classes(pool, "S4")
    assert chosen["label"].tolist() == ["healthy", "viral"]
    assert chosen.attrs["patient_id_inferred"] == ["healthy"]


def test_four_classes_need_children_as_controls():
    with pytest.raises(ValueError, match="bacterial.*controls='adults'"):
        data.read_study("anywhere", "adults", classes="S4")
    with pytest.raises(ValueError, match="'S1', 'S2', 'S3', 'S4'. Received: classes='S9'"):
        data.read_study("anywhere", "adults", classes="S9")


@pytest.mark.shared
def test_kermany_tells_bacteria_from_viruses(shared_dir):
    pool = data.read_study(shared_dir / "data", "children", classes="S4")
    assert pool["label"].value_counts().to_dict() == {
        "bacterial": 603, "healthy": 600, "covid": 427, "viral": 297,
    }  # fmt: skip
    assert pool.loc[pool["label"] == "viral", "path"].str.contains("_virus_").all()
