"""Training: seeds that hold, views in their epochs, the published schedule."""

import filelock
import keras
import numpy as np
import pandas as pd
import pytest

from leakage import features as bank
from leakage import paths, training
from leakage.training import fitting

CLASSES = ["covid", "normal", "pneumonia"]


class FakeBank:
    """Features that hold the label, so that a head can learn; no images, no backbone."""

    def __init__(self):
        self.views_asked = []

    def extract(self, table, view=0, description=""):
        rng = np.random.default_rng(view)
        truth = training.encode_labels(table["label"], CLASSES)
        values = rng.normal(0, 1, (len(table), 2, 2, 8)).astype(np.float32)
        values[..., :3] += 3 * np.eye(3, dtype=np.float32)[truth][:, None, None]
        return values

    def extract_views(self, table, num_views, description=""):
        self.views_asked.append(num_views)
        return [self.extract(table, view) for view in range(1, num_views + 1)] or [
            self.extract(table)
        ]


def make_split():
    labels = CLASSES * 30
    splits = ["train"] * 60 + ["val"] * 15 + ["test"] * 15
    return pd.DataFrame({"label": labels, "split": splits})


def train(seeds=(27,), **options):
    settings = training.Settings(num_epochs=3, **({"num_views": 1} | options))
    return training.train_heads(make_split(), FakeBank(), CLASSES, seeds, settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The runs of two seeds, and the folder that keeps them."""
    folder = tmp_path_factory.mktemp("kept")
    keras.utils.set_random_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAKAGE_KEPT_DIR", str(folder))
        return train((27, 1)), folder


class Asked(Exception):
    """Raised in place of a training."""


@pytest.fixture
def refuse_to_train(monkeypatch):
    """Return a function after whose call training raises `Asked`."""

    def refuse(*arguments, **options):
        raise Asked

    return lambda: monkeypatch.setattr(fitting, "fit_batches", refuse)


def test_a_head_learns_what_is_in_the_features():
    run = train(feature_scaling="standard")[0]
    truth = training.encode_labels(make_split().query("split == 'test'")["label"], CLASSES)
    assert (run.test_scores.argmax(axis=1) == truth).mean() > 0.9
    np.testing.assert_allclose(run.test_scores.sum(axis=1), 1, atol=1e-5)


def test_one_seed_gives_one_answer_and_another_seed_another(trained):
    first, second = trained[0]
    keras.utils.set_random_seed(2)
    again = train((27,))[0]
    np.testing.assert_array_equal(first.test_scores, again.test_scores)
    assert not np.array_equal(first.test_scores, second.test_scores)


def test_only_the_declared_seed_keeps_its_model_and_none_where_none_is_wanted(trained):
    first, second = trained[0]
    assert first.model is not None and second.model is None
    (bare,) = training.train_heads(
        make_split(), FakeBank(), CLASSES, [27], training.Settings(num_epochs=3, num_views=1),
        keep_model=False,
    )  # fmt: skip
    assert bare.model is None
    np.testing.assert_array_equal(bare.test_scores, first.test_scores)


def test_no_number_of_views_means_a_fresh_one_for_every_epoch():
    bank = FakeBank()
    training.train_heads(make_split(), bank, CLASSES, [1], training.Settings(num_epochs=4))
    assert bank.views_asked == [4]


def test_epoch_e_sees_view_e_and_each_image_once_an_epoch():
    views = [np.arange(10)[:, None] + 100 * view for view in range(3)]
    batches = fitting.generate_batches(views, np.arange(10), 4, seed=0, shuffle=True)
    for epoch in range(5):
        values = np.concatenate([next(batches)[0] for _ in range(3)]).ravel()
        assert sorted(values - 100 * (epoch % 3)) == list(range(10))
    assert not np.array_equal(values - 100 * (4 % 3), np.arange(10))


def test_unshuffled_batches_keep_the_order_of_the_classes_as_the_ancestor_did():
    batches = fitting.generate_batches([np.arange(10)], np.arange(10), 4, 0, shuffle=False)
    np.testing.assert_array_equal(next(batches)[1], [0, 1, 2, 3])


def test_the_rate_falls_by_the_published_factor_on_a_plateau():
    class MisleadingBank(FakeBank):
        """Validation images look like the next class: the better the head, the higher the loss."""

        def extract(self, table, view=0, description=""):
            values = super().extract(table, view)
            if (table["split"] == "val").all():
                values[..., :3] = np.roll(values[..., :3], 1, axis=-1)
            return values

    settings = training.Settings(num_epochs=25, num_views=1, learning_rate=0.001)
    (run,) = training.train_heads(make_split(), MisleadingBank(), CLASSES, [0], settings)
    rates = run.history["learning_rate"]
    assert rates[0] == pytest.approx(0.001)
    after = next(rate for rate in rates if rate < 0.0009)
    assert after == pytest.approx(0.001 * 0.3, rel=1e-3)
    assert rates.index(after) >= 10


def test_an_unknown_label_or_scaling_is_named():
    with pytest.raises(ValueError, match=r"Received: \['wolf'\]"):
        training.encode_labels(["covid", "wolf"], CLASSES)
    with pytest.raises(ValueError, match="Received: 'minmax'"):
        training.Settings(feature_scaling="minmax")


def test_a_run_is_written_under_the_lock_that_keeps_others_from_making_room(monkeypatch):
    seen = []

    def limit_size(root, keep, limit_gb):
        with pytest.raises(filelock.Timeout), bank.get_lock(keep, timeout=0):
            pass
        seen.append(keep)

    monkeypatch.setattr(bank, "limit_size", limit_size)
    train((27,))
    assert len(seen) == 1 and (seen[0]).is_dir()


def test_what_was_trained_is_read_and_gives_the_same_model(trained, monkeypatch, refuse_to_train):
    fresh, folder = trained
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(folder))
    refuse_to_train()
    stored = train((27, 1))
    for run, again in zip(fresh, stored, strict=True):
        np.testing.assert_array_equal(run.test_scores, again.test_scores)
        assert run.history == again.history and run.seconds == again.seconds
    features = FakeBank().extract(make_split().query("split == 'test'"))
    scores = training.predict_scores(stored[0].model, features)
    np.testing.assert_array_equal(scores, fresh[0].test_scores)
    assert stored[1].model is None


@pytest.mark.parametrize(
    "options", [{"seeds": (28,)}, {"num_views": 2}, {"learning_rate": 0.01}, {"shuffle": False}]
)
def test_another_seed_or_setting_is_another_run(trained, monkeypatch, refuse_to_train, options):
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(trained[1]))
    refuse_to_train()
    train()
    with pytest.raises(Asked):
        train(**options)


def test_a_forced_or_damaged_run_is_trained_again(forget_training, refuse_to_train):
    train()
    (path,) = paths.get_kept_dir().glob("*/run.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    train()
    assert len(path.read_bytes()) == len(whole)
    refuse_to_train()
    train()
    forget_training()
    with pytest.raises(Asked):
        train()


def test_what_was_fitted_is_freed_and_a_copy_is_kept(monkeypatch):
    fitted = []
    fit = fitting.fit_batches
    monkeypatch.setattr(
        fitting, "fit_batches", lambda m, *a, **k: fitted.append(m) or fit(m, *a, **k)
    )
    kept, dropped = train((27, 1))
    assert dropped.model is None and len(fitted) == 2
    held = [*fitted[0].variables, *fitted[0].optimizer.variables, *fitted[1].variables]
    assert [keras.ops.convert_to_numpy(variable.value).size for variable in held] == [0] * len(held)
    features = FakeBank().extract(make_split().query("split == 'test'"))
    np.testing.assert_array_equal(fitting.predict_scores(kept.model, features), kept.test_scores)
