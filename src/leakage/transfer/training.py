"""Train one run of the comparison: what is frozen is computed once, only the rest is trained."""

import dataclasses

import numpy as np

from leakage import features, networks, published
from leakage.training import fitting, store
from leakage.transfer import fine_tuning, outcomes, schedules, views
from leakcard import images

SCORED = ("test", "extra")
LOSSES = {"categorical": "sparse_categorical_crossentropy", "binary": "binary_crossentropy"}


@dataclasses.dataclass(frozen=True)
class Options:
    """What a notebook may change for all its runs.

    Parameters
    ----------
    feature_scaling : {"none", "standard"}
        "standard": features of frozen layers by their training mean and deviation. Untrained
        backbones always have it, since their features need it; networks whose trained part
        normalises batches, and those without transfer, never.
    num_epochs : int or None
        At most so many; None: as each system's schedule says.
    batch_size : int or None
        None: as each system's schedule says.
    num_pixel_views, num_feature_views : int or None
        Augmented views of the training images, for networks trained on pixels and for features
        of frozen layers, of which each costs a pass through the network. 0: none. None: a fresh
        one every epoch.
    """

    feature_scaling: str = "none"
    num_epochs: int | None = None
    batch_size: int | None = None
    num_pixel_views: int | None = None
    num_feature_views: int | None = None

    def __post_init__(self):
        fitting.check_choice("feature_scaling", self.feature_scaling, ("none", "standard"))


def train_experiment(experiment, backbone, split, class_names, seeds, options, keep_model=False):
    """Train and score one experiment, once a seed; a run that is in the store is not done again.

    Parameters
    ----------
    experiment : Experiment
    backbone : leakage.networks.Backbone
        As `build_backbones` builds it.
    split : DataFrame
        Rows of the table contract with `split` in {"train", "val", "test", "extra"}.
    class_names : sequence of str
    seeds : sequence of int
        Of initial weights and order; the first keeps its model if `keep_model`.
    options : Options
    keep_model : bool

    Returns
    -------
    Outcome
    """
    fitting.check_seeds(seeds)
    schedule = _shorten(schedules.SCHEDULES[experiment.schedule], options)
    scored = split[split["split"].isin(SCORED)]
    parts = {"train": split[split["split"] == "train"], "val": split[split["split"] == "val"]}
    parts["scored"] = scored
    labels = {
        name: fitting.encode_labels(part["label"], class_names) for name, part in parts.items()
    }
    frozen = fine_tuning.cut_backbone(backbone, experiment.train_from)
    inputs = _load_inputs(experiment, backbone, frozen, parts, schedule, options)
    content = _describe(experiment, backbone, schedule, options, inputs, labels, class_names)
    targets = {name: _encode(values, experiment, class_names) for name, values in labels.items()}
    weighs = experiment.has_class_weights
    image_weights = fitting.weigh_images(labels["train"]) if weighs else None
    scaled = _needs_scaling(backbone, options)

    def train_seed(seed):
        def build():
            scaled_on = _get_first_view(inputs["train"]) if scaled else None
            return build_trained_part(experiment, backbone, len(class_names), seed, scaled_on)

        def train(model):
            batches = fitting.generate_batches(
                inputs["train"],
                targets["train"],
                schedule.batch_size,
                seed,
                image_weights=image_weights,
            )
            history = fitting.fit_batches(
                model,
                batches,
                -(-len(labels["train"]) // schedule.batch_size),
                (inputs["val"], targets["val"]),
                optimizer=schedules.build_optimizer(schedule),
                num_epochs=schedule.num_epochs,
                batch_size=schedule.batch_size,
                loss=LOSSES[experiment.loss],
                callbacks=schedules.build_callbacks(schedule),
                description=f"{experiment.name}: seed {seed}",
            )
            return history, fitting.predict_scores(model, inputs["scored"])

        keep = keep_model and seed == seeds[0]
        return store.load_or_train(content, build, train, seed=seed, keep_model=keep)

    runs = [train_seed(seed) for seed in seeds]
    part = runs[0].model or build_trained_part(experiment, backbone, len(class_names), seeds[0])
    model = fine_tuning.join_frozen_and_trained(frozen, part)
    counts = fine_tuning.count_weights(model)
    model = model if keep_model else None
    bare = [dataclasses.replace(run, model=None) for run in runs]
    changes = _list_changes(experiment, backbone, schedule, options)
    return outcomes.Outcome(
        experiment, backbone, tuple(class_names), scored, bare, *counts, model, changes
    )


def _shorten(schedule, options):
    num_epochs = min(options.num_epochs or schedule.num_epochs, schedule.num_epochs)
    batch_size = options.batch_size or schedule.batch_size
    return dataclasses.replace(schedule, num_epochs=num_epochs, batch_size=batch_size)


def _list_changes(experiment, backbone, schedule, options):
    """Say in what a run's recipe is not its system's, as `published.list_changes` does."""
    there = schedules.SCHEDULES[experiment.schedule]
    kind = "pixel" if experiment.train_from == fine_tuning.EVERYTHING else "feature"
    num_views = getattr(options, f"num_{kind}_views")
    fresh = "a fresh one an epoch"
    # A trained part that normalises batches is never scaled; see `build_trained_part`.
    may_scale = experiment.train_from == fine_tuning.HEAD_ONLY or not fine_tuning.has_batch_norm(
        backbone.model
    )
    is_scaled = may_scale and _needs_scaling(backbone, options)
    pairs = {
        "num_epochs": (schedule.num_epochs, there.num_epochs),
        "batch_size": (schedule.batch_size, there.batch_size),
        "size_px": (backbone.size_px, published.INPUT_SIZE_PX[experiment.system]),
        "feature_scaling": ("standard" if is_scaled else "none", "none"),
        f"num_{kind}_views": (fresh if num_views is None else num_views, fresh),
    }
    return ", ".join(f"{name} {a} instead of {b}" for name, (a, b) in pairs.items() if a != b)


def build_trained_part(experiment, backbone, num_classes, seed, scaled_on=None):
    """Build what is trained, with its initial weights: a head, or a tail with its head.

    Parameters
    ----------
    experiment : Experiment
    backbone : leakage.networks.Backbone
    num_classes : int
    seed : int
    scaled_on : ndarray of shape (n_images, *feature_shape), optional
        Training features at the cut, if features are to be standardised before the head.

    Returns
    -------
    keras.Model
        Its input is the output of `fine_tuning.cut_backbone`.
    """
    activation = "sigmoid" if experiment.loss == "binary" else "softmax"
    shape = backbone.model.output_shape[1:]
    tail = None
    if experiment.train_from != "head":
        tail = fine_tuning.copy_tail(backbone, experiment.train_from, seed)
        if scaled_on is not None:
            # Before training, the tail's output stands for what the head will see.
            normalises = fine_tuning.has_batch_norm(tail)
            scaled_on = None if normalises else fitting.predict_scores(tail, scaled_on)
    head = networks.build_head(experiment.head, shape, num_classes, seed, scaled_on, activation)
    return head if tail is None else fine_tuning.join_tail_and_head(tail, head)


def _needs_scaling(backbone, options):
    if backbone.weights == networks.weights.FROM_SCRATCH:
        return False
    return options.feature_scaling == "standard" or backbone.weights.startswith("random")


def _get_first_view(train):
    return train.pixels if isinstance(train, views.PixelViews) else train[0]


def _load_inputs(experiment, backbone, frozen, parts, schedule, options):
    """Return what the trained part takes in: views to train on, arrays to validate and score."""
    augmentation = published.AUGMENTATION[experiment.system]
    size_px = backbone.size_px

    def count_views(number):
        return schedule.num_epochs if number is None else number

    def load(name):
        return images.load_images(parts[name]["path"], size_px, description=experiment.name)

    def draw_views(pixels, number):
        return views.PixelViews(pixels, tuple(parts["train"]["sha256"]), number, augmentation)

    if frozen is None:
        loaded = {name: load(name) for name in parts}
        number = count_views(options.num_pixel_views)
        return loaded | {"train": draw_views(loaded["train"], number)}
    bank = features.FeatureBank(frozen, augmentation)
    inputs = {name: bank.extract(parts[name], description=experiment.name) for name in parts}
    number = count_views(options.num_feature_views)
    if experiment.batch_norm == "batch":
        drawn = draw_views(load("train"), number)
        inputs["train"] = views.extract_with_batch_statistics(backbone, drawn)
    elif number:
        inputs["train"] = bank.extract_views(parts["train"], number, experiment.name)
    else:
        inputs["train"] = [inputs["train"]]
    return inputs


def _describe(experiment, backbone, schedule, options, inputs, labels, class_names):
    """Everything that determines the run besides its seed."""
    train = inputs["train"]
    if isinstance(train, views.PixelViews):
        # The keys seed each image's transform: equal pixels in other files have other views.
        seen = [store.hash_arrays([train.pixels]), train.image_keys, train.num_views, train.seed]
        seen.append(dataclasses.asdict(train.augmentation))
    else:
        seen = [store.hash_arrays(train), len(train)]
    arrays = [inputs["val"], inputs["scored"]]
    decisive = ("head", "train_from", "loss", "has_class_weights")
    return {
        "experiment": {name: getattr(experiment, name) for name in decisive},
        "backbone": [backbone.key, backbone.size_px],
        "schedule": dataclasses.asdict(schedule),
        "is_scaled": _needs_scaling(backbone, options),
        "classes": list(class_names),
        "inputs": [seen, store.hash_arrays(arrays)],
        "labels": {name: values.tolist() for name, values in labels.items()},
    }


def _encode(labels, experiment, class_names):
    """Targets of the loss: indices, or one column a class for the binary cross-entropy."""
    if experiment.loss == "categorical":
        return labels
    return np.eye(len(class_names), dtype=np.float32)[labels]
