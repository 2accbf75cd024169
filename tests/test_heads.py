"""Settings of heads: class weights that reach the loss, treatments that are fitted."""

import numpy as np
import pandas as pd
import pytest

from leakage import features, training, treatments
from leakage.training import heads

CLASSES = ["few", "many"]


class ToyBank:
    """Features that overlap, of a table whose `number` seeds them."""

    def extract(self, table, view=0, description=""):
        rng = np.random.default_rng(int(table["number"].iloc[0]))
        values = rng.normal(0, 1, (len(table), 1, 1, 8)).astype(np.float32)
        return values + 0.5 * (table["label"] == "many").to_numpy()[:, None, None, None]

    def extract_views(self, table, num_views, description=""):
        return [self.extract(table)]


@pytest.fixture
def split():
    parts = []
    for number, (name, few, many) in enumerate(
        [("train", 12, 72), ("val", 6, 6), ("test", 60, 60)]
    ):
        labels = ["few"] * few + ["many"] * many
        parts.append(pd.DataFrame({"label": labels, "split": name, "number": number}))
    return pd.concat(parts, ignore_index=True)


def test_class_weights_make_a_head_call_the_small_class_more_often(split):
    found = {}
    for weights in ("none", "balanced"):
        settings = training.Settings(num_epochs=4, num_views=0, class_weights=weights)
        (run,) = training.train_heads(split, ToyBank(), CLASSES, [27], settings)
        found[weights] = (run.test_scores.argmax(axis=1) == 0).mean()
    assert found["balanced"] > found["none"] + 0.1


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match='"none" or "balanced". Received: \'equal\''):
        training.Settings(class_weights="equal")


def test_settings_name_a_fitted_treatment_by_its_content():
    state = {"normalise": {"mean": np.array(100.0), "std": np.array(50.0)}}
    fitted = treatments.compose("none", "inpaint")
    assert heads.describe_settings(training.Settings(treatment=fitted))["treatment"] == "inpaint v1"
    other = {"normalise": {"mean": np.array(101.0), "std": np.array(50.0)}}
    keys = [
        heads.describe_settings(training.Settings(treatment=treatments.Fitted("normalise", one)))[
            "treatment"
        ]
        for one in (state, state, other)
    ]
    assert keys[0] == keys[1] != keys[2] and keys[0].startswith("normalise v1 ")


def test_the_bank_refuses_masks_for_some_classes(tmp_path):
    class Backbone:
        size_px, key = 8, "toy"

    table = pd.DataFrame(
        {"label": ["a", "b"], "mask_path": ["x.png", np.nan], "sha256": ["1", "2"]}
    )
    bank = features.FeatureBank(Backbone(), treatment="mask only", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="a 1 of 1, b 0 of 1"):
        bank.extract(table)
