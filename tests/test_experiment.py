"""The experiment that phantoms are for: what a classifier scores when there is nothing to see.

All of it comes from training; lesions are invisible, nothing is drawn twice, and the pool is twice
the sample. The bounds are those of the project's own specification.
"""

import keras
import numpy as np
import pytest
import toys

import phantoms
from leakage import data, evaluation, networks, paths, published, training
from leakage.data import splits
from leakage.training import fitting
from leakcard import images

pytestmark = pytest.mark.slow

CLASSES = list(published.CLASS_NAMES)
SIZE_PX = 64
SIZES = {
    label: tuple(size // 3 for size in sizes)
    for label, sizes in published.SPLIT_SIZES["S1"].items()
}


def train_on_invisible_lesions(confounding):
    """Return the COVID-against-rest AUC with its interval, and the accuracy over swapped images."""
    drawn = phantoms.draw_study(
        paths.get_cache_dir(),
        confounding=confounding,
        lesion_visibility=0.0,
        size_px=SIZE_PX,
        num_images={label: 2 * sum(sizes) for label, sizes in SIZES.items()},
    )
    pool = data.read_study(drawn, "children")
    protocol = published.PROTOCOLS["paper"]
    split = splits.draw_split(pool, protocol, SIZES, seed=20)
    assert split.attrs["shrink_factor"] == 1.0
    network = networks.build_backbone("resnet18", "random", SIZE_PX)
    settings = training.Settings(num_epochs=20, num_views=1, feature_scaling="standard")
    run = training.train_protocol(split, network, protocol, CLASSES, [27], settings)[0]
    test = split[split["split"] == "test"]
    return evaluation.score_one_against_rest(
        training.encode_labels(test["label"], CLASSES),
        run.test_scores,
        CLASSES.index("covid"),
        test["patient_id"].to_numpy(),
    )


def test_with_full_confounding_covid_is_found_although_there_is_nothing_to_see():
    assert train_on_invisible_lesions(1.0)["value"] >= 0.95


def test_without_confounding_nothing_is_found():
    area = train_on_invisible_lesions(0.0)
    assert area["lower"] <= 0.5 <= area["upper"]


def test_a_network_that_learnt_backgrounds_is_wrong_on_swapped_ones():
    animals = data.read_animals(phantoms.draw_animal_study(paths.get_cache_dir(), size_px=SIZE_PX))
    own = animals[animals["source"].str.endswith("different_backgrounds")]
    own = splits.hold_out_validation(own, published.WOLF_VALIDATION_FRACTION, seed=20)
    model = toys.build_small_cnn(SIZE_PX, 2, seed=27)
    parts = {
        name: (
            images.load_images(part["path"], SIZE_PX),
            training.encode_labels(part["label"], ["husky", "wolf"]),
        )
        for name, part in own.groupby("split")
    }
    pixels, labels = parts["train"]
    fitting.fit_batches(
        model,
        fitting.generate_batches([pixels], labels, 4, seed=27),
        -(-len(labels) // 4),
        parts["val"],
        optimizer=keras.optimizers.Adam(0.001),
        num_epochs=10,
        batch_size=4,
    )
    swapped = animals[animals["source"].str.endswith("background_swap")]
    pixels = images.load_images(swapped["path"], SIZE_PX)
    predicted = training.predict_scores(model, pixels).argmax(axis=1)
    truth = training.encode_labels(swapped["label"], ["husky", "wolf"])
    _, upper = evaluation.wilson_interval(int(np.sum(predicted == truth)), len(truth))
    assert upper < 0.5
