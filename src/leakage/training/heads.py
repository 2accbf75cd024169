"""The published head on the features of a frozen backbone."""

import dataclasses

import keras

from leakage import features, networks, published, treatments
from leakage.training import fitting, store

S1 = published.TRAINING["S1"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a head is trained; the defaults are the published ones (Rahaman et al. 2020).

    Parameters
    ----------
    num_epochs, batch_size : int
    learning_rate : float
        Of RMSprop.
    num_views : int or None
        Augmented views of each training image: 0 none, 1 one frozen view, V: epoch e sees view
        e mod V. None is a fresh one for every epoch, as published.
    feature_scaling : str
        "none" as published, or "standard": each feature by its training mean and deviation.
    shuffle : bool
        Whether each epoch sees the images in a new order. The ancestor never shuffled.
    treatment : str or leakage.treatments.Fitted
        What is done to every image first, as `leakage.treatments` names it.
    class_weights : str
        "none", or "balanced": the loss counts an image of a class as often as the largest class
        has images for each of its own, as S4 weights its four classes.
    """

    num_epochs: int = S1.num_epochs
    batch_size: int = S1.batch_size
    learning_rate: float = S1.learning_rate
    num_views: int | None = None
    feature_scaling: str = "none"
    shuffle: bool = True
    treatment: object = "none"
    class_weights: str = "none"

    def __post_init__(self):
        fitting.check_choice("class_weights", self.class_weights, ("none", "balanced"))
        fitting.check_choice("feature_scaling", self.feature_scaling, ("none", "standard"))


def train_heads(split, bank, class_names, seeds, settings, variant="", keep_model=True):
    """Train the published head on one split, once a seed.

    Parameters
    ----------
    split : DataFrame
        Rows of the table contract with `split` in {"train", "val", "test"}.
    bank : leakage.features.FeatureBank
    class_names : sequence of str
        Labels in the order of the scores.
    seeds : sequence of int
        Seeds of initialisation and order.
    settings : Settings
    variant : str
        What the progress bars say.
    keep_model : bool
        Whether the first run keeps its head, and the store its 100 MB (of VGG16's features).

    Returns
    -------
    list of Run
        In the order of `seeds`; `test_scores` follow the test rows of `split`.
    """
    fitting.check_seeds(seeds)
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
    labels = {
        name: fitting.encode_labels(part["label"], class_names) for name, part in parts.items()
    }
    num_views = settings.num_epochs if settings.num_views is None else settings.num_views
    views = bank.extract_views(parts["train"], num_views, f"{variant}: training features")
    validation = bank.extract(parts["val"], description=f"{variant}: validation features")
    test = bank.extract(parts["test"], description=f"{variant}: test features")
    content = {
        "settings": describe_settings(settings),
        "classes": list(class_names),
        "features": [store.hash_arrays(part) for part in (views, [validation], [test])],
        "labels": {name: values.tolist() for name, values in labels.items()},
    }
    balanced = settings.class_weights == "balanced"
    image_weights = fitting.weigh_images(labels["train"]) if balanced else None
    scaled_on = views[0] if settings.feature_scaling == "standard" else None

    def train_seed(seed, keeps):
        def train(head):
            batches = fitting.generate_batches(
                views, labels["train"], settings.batch_size, seed, settings.shuffle, image_weights
            )
            plateau = keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", factor=S1.reduce_factor, patience=S1.reduce_patience
            )
            history = fitting.fit_batches(
                head,
                batches,
                -(-len(labels["train"]) // settings.batch_size),
                (validation, labels["val"]),
                optimizer=keras.optimizers.RMSprop(settings.learning_rate),
                num_epochs=settings.num_epochs,
                batch_size=settings.batch_size,
                callbacks=[plateau],
                description=f"{variant}: seed {seed}",
            )
            return history, fitting.predict_scores(head, test)

        def build():
            return networks.build_head("paper", test.shape[1:], len(class_names), seed, scaled_on)

        return store.load_or_train(content, build, train, seed=seed, keep_model=keeps)

    return [train_seed(seed, keep_model and seed == seeds[0]) for seed in seeds]


def describe_settings(settings):
    """Return settings as plain values, a fitted treatment by its key."""
    fields = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return fields | {"treatment": treatments.get_key(settings.treatment)}


def train_protocol(split, backbone, protocol, class_names, seeds, settings, variant=""):
    """Train the published head on one split as a protocol says; see `train_heads`.

    Parameters
    ----------
    split : DataFrame
        As `leakage.data.splits.draw_split` returns it.
    backbone : leakage.networks.Backbone
    protocol : leakage.published.Protocol
        Decides the augmentation, the number of its views (unless `settings` has one) and whether
        images are shuffled.
    class_names : sequence of str
    seeds : sequence of int
    settings : Settings
    variant : str

    Returns
    -------
    list of Run
    """
    bank = features.FeatureBank(
        backbone, published.AUGMENTATION[protocol.augmentation], treatment=settings.treatment
    )
    num_views = protocol.num_views if settings.num_views is None else settings.num_views
    settings = dataclasses.replace(settings, num_views=num_views, shuffle=protocol.shuffle)
    return train_heads(split, bank, class_names, seeds, settings, variant)


def score_counterfactuals(
    split,
    backbone,
    protocol,
    class_names,
    run,
    settings,
    names,
    modes=("test-time", "retrained"),
):
    """Score what is left when parts of the images are taken away, at test time and retrained.

    Parameters
    ----------
    split, backbone, protocol, class_names, settings
        As `train_protocol` takes them; a version is applied after the treatment of `settings`.
    run : Run
        A run that kept its head; the retrained heads use its seed.
    names : sequence of str
        Names in `leakage.treatments.TREATMENTS`.
    modes : sequence of str
        "test-time", "retrained" or both.

    Returns
    -------
    dict of (str, str) to ndarray of shape (n_test, n_classes)
        By version and "test-time" (the given head on treated test images) or "retrained" (a
        head trained, validated and tested on treated images).
    """
    test = split[split["split"] == "test"]
    scores = {("full", "test-time"): run.test_scores}
    for name in names:
        treatment = treatments.compose(settings.treatment, name)
        if "test-time" in modes:
            bank = features.FeatureBank(backbone, treatment=treatment)
            treated = bank.extract(test, description=f"{name}: test features")
            scores[name, "test-time"] = fitting.predict_scores(run.model, treated)
        if "retrained" in modes:
            changed = dataclasses.replace(settings, treatment=treatment)
            retrained = train_protocol(
                split, backbone, protocol, class_names, [run.seed], changed, name
            )
            scores[name, "retrained"] = retrained[0].test_scores
    return scores
