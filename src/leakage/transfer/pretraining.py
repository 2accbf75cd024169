"""Pretrain a backbone on the findings of NIH: many labels an image, as CheXNet and S3 meant it."""

import dataclasses

import keras
import numpy as np
import pandas as pd

from leakage import evaluation, networks
from leakage.training import fitting, store
from leakage.transfer import fine_tuning, schedules
from leakcard import images

NOTHING_FOUND = ("No Finding", "normal")
# A finding of fewer training images than this is not learnt, and its area means nothing.
MIN_POSITIVES = 8
VALIDATION_FRACTION = 0.25  # of the patients
SCHEDULE = schedules.Schedule("adam", 1e-4, 32, 20)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A pretrained backbone and what it knows.

    `scores` has a row a finding: `finding`, `num_train`, `num_val` (images that show it) and the
    area under the ROC curve on held-out patients, `value` with `lower` and `upper`. A backbone
    that is no better than chance there has nothing to transfer.
    """

    backbone: networks.Backbone
    scores: pd.DataFrame


def encode_findings(findings):
    """Turn findings into one column each.

    Parameters
    ----------
    findings : Series of str
        Separated by "|", as NIH has them; "No Finding" and missing ones give a row of zeros.

    Returns
    -------
    DataFrame of shape (n_images, n_findings), dtype=float32
        Columns in alphabetical order; findings of less than `MIN_POSITIVES` images have none.
    """
    columns = findings.fillna("").str.get_dummies(sep="|")
    known = [name for name in columns if name.strip() and name not in NOTHING_FOUND]
    frequent = [name for name in known if columns[name].sum() >= MIN_POSITIVES]
    return columns[frequent].astype(np.float32)


def pretrain_on_findings(table, backbone, *, seed=0, num_epochs=None):
    """Train a whole backbone to name all findings of an image (a sigmoid each).

    Parameters
    ----------
    table : DataFrame
        Rows of the table contract with `findings`. Leave out every patient of the study that the
        backbone is for: a test patient seen here is a leak.
    backbone : leakage.networks.Backbone
        Where training starts; it is copied.
    seed : int
    num_epochs : int, optional
        20 by default.

    Returns
    -------
    Pretrained

    Raises
    ------
    ValueError
        If no finding is left.
    """
    targets = encode_findings(table["findings"])
    if targets.empty or targets.shape[1] == 0:
        raise ValueError(
            f"There is nothing to pretrain on. Expected a finding that at least {MIN_POSITIVES} "
            f"images show. Received: {len(table)} images, "
            f"{table['findings'].value_counts().head(3).to_dict()}."
        )
    is_val = _hold_out(table["patient_id"], seed)
    pixels = images.load_images(table["path"], backbone.size_px, description="pretraining images")
    targets_all = targets.to_numpy()
    schedule = dataclasses.replace(SCHEDULE, num_epochs=num_epochs or SCHEDULE.num_epochs)

    def build():
        tail = fine_tuning.copy_tail(backbone, "everything", seed)
        output = keras.layers.GlobalAveragePooling2D(name="pooling")(tail.output)
        dense = networks.heads.build_dense(targets.shape[1], "sigmoid", "findings", seed, 0)
        return keras.Model(tail.input, dense(output))

    def train(model):
        batches = fitting.generate_batches(
            [pixels[~is_val]], targets_all[~is_val], schedule.batch_size, seed
        )
        # Accuracy says little where an image has none or several of many findings.
        best = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=schedule.num_epochs, restore_best_weights=True
        )
        history = fitting.fit_batches(
            model,
            batches,
            -(-int((~is_val).sum()) // schedule.batch_size),
            (pixels[is_val], targets_all[is_val]),
            optimizer=schedules.build_optimizer(schedule),
            num_epochs=schedule.num_epochs,
            batch_size=schedule.batch_size,
            loss="binary_crossentropy",
            callbacks=[best],
            description="pretraining on findings",
        )
        return history, fitting.predict_scores(model, pixels[is_val])

    content = {
        "pretraining": [backbone.key, dataclasses.asdict(schedule), list(targets.columns)],
        "inputs": store.hash_arrays([pixels, targets_all, is_val]),
    }
    run = store.load_or_train(content, build, train, seed=seed)
    patients = table["patient_id"].to_numpy()[is_val]
    scores = _score(targets, is_val, run.test_scores, patients)
    model = keras.Model(run.model.input, run.model.get_layer("pooling").input, name=backbone.name)
    model.trainable = False
    label = f"nih ({int((~is_val).sum())} images)"
    key = f"{backbone.name}/nih/{store.hash_arrays(model.get_weights())}"
    trained = networks.Backbone(model, backbone.name, label, key, backbone.last_conv)
    return Pretrained(trained, scores)


def _hold_out(patient_ids, seed):
    patients = np.array(sorted(set(patient_ids)), dtype=object)
    number = min(len(patients) - 1, max(1, round(VALIDATION_FRACTION * len(patients))))
    chosen = np.random.default_rng(seed).choice(patients, size=number, replace=False)
    return patient_ids.isin(set(chosen)).to_numpy()


def _score(targets, is_val, scores, patients):
    rows = []
    for position, name in enumerate(targets.columns):
        truth = targets[name].to_numpy().astype(int)
        area = evaluation.score_one_against_rest(truth[is_val], scores[:, position], 1, patients)
        row = {"finding": name, "num_train": int(truth[~is_val].sum())}
        row |= {"num_val": int(truth[is_val].sum())}
        rows.append(row | {name: area[name] for name in ("value", "lower", "upper")})
    return pd.DataFrame(rows)
