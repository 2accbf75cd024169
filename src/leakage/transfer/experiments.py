"""The runs of the second, third and fourth system (S2, S3, S4), as a list of data."""

import dataclasses

from leakage import published
from leakage.networks import saved

# The network that stands for "nothing learnt" in each system: its most used one.
NULL_BACKBONES = {"S2": "resnet18", "S3": "vgg16", "S4": "resnet50"}
HEADS = {"S2": "average_pool", "S3": "dense_64", "S4": "dense_512"}
VGG16_LAST_CONVOLUTIONS = {1: "block5_conv3", 2: "block5_conv2", 3: "block5_conv1"}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One run of the comparison: a row of its table.

    Parameters
    ----------
    system : {"S2", "S3", "S4"}
    name : str
        What is trained on what, in words; unique.
    backbone : str
        A key of `networks.BACKBONES`.
    head : str
        A key of `networks.HEADS`.
    schedule : str
        A key of `schedules.SCHEDULES`.
    train_from : str
        "head", "everything" or the first layer of the backbone that is trained.
    weights : str
        Overrides the study's source of weights: "random", "nih" or a path.
    claim : str
        Key of `published.RESULTS`, "" where nothing was published.
    loss : {"categorical", "binary"}
        Softmax with the categorical, or a sigmoid a class with the binary cross-entropy.
    batch_norm : {"inference", "batch"}
        What frozen batch normalisation uses in training: its moving statistics, as it should, or
        those of the batch, as Keras did before version 2.1.3 (2018) and torch does today.
    has_class_weights : bool
        Whether the loss weighs each class by (images of the largest class) / (its images).
    is_null : bool
        Whether nothing was learnt before: an untrained, frozen network.
    """

    system: str
    name: str
    backbone: str
    head: str
    schedule: str
    train_from: str = "head"
    weights: str = ""
    claim: str = ""
    loss: str = "categorical"
    batch_norm: str = "inference"
    has_class_weights: bool = False
    is_null: bool = False


def list_experiments(weights, saved_backbone=None, names=None):
    """List the runs of the comparison.

    Parameters
    ----------
    weights : str
        "imagenet" or "random": where backbones without weights of their own get theirs. ResNet18,
        for which Keras has no ImageNet weights, is then untrained.
    saved_backbone : str, optional
        Path of a saved backbone, with its card beside it: runs on the network it is start from
        it, and in each system it is run frozen and with everything trained.
    names : sequence of str, optional
        Only these runs, one of each system at least: runs of a system are compared.

    Returns
    -------
    list of Experiment

    Raises
    ------
    ValueError
        If a name is of no run, a system has none, or the weights are of another kind.
    FileNotFoundError
        If there is no such saved backbone.
    """
    if weights not in ("imagenet", "random"):
        raise ValueError(
            "The backbones of a comparison start from the same kind of weights. Expected "
            '"imagenet" or "random" (a saved backbone is named by `saved_backbone`). '
            f"Received: weights={weights!r}."
        )
    every = [*_list_s2(), *_list_s3(), *_list_s4()]
    if saved_backbone:
        every = _start_from(every, str(saved_backbone))
    with_null = {run.system for run in every if _is_null(run, weights)}
    every += [_define_null(name) for name in published.SYSTEMS if name not in with_null]
    every = [dataclasses.replace(run, is_null=_is_null(run, weights)) for run in every]
    known = [run.name for run in every]
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ValueError(f"There is no such run. Expected some of {known}. Received: {unknown}.")
    chosen = [run for run in every if run.name in (names or known)]
    missing = sorted({run.system for run in every} - {run.system for run in chosen})
    if missing:
        of_them = [run.name for run in every if run.system in missing]
        raise ValueError(
            "Runs are compared within their system, and each has a section. Expected a run of "
            f"each system. Received: none of {', '.join(missing)}; add one of {of_them}."
        )
    return sorted(chosen, key=lambda run: published.SYSTEMS.index(run.system))


def _is_null(run, weights):
    """Frozen and untrained, with the system's own head: nothing was learnt before."""
    source = run.weights or ("random" if run.backbone == "resnet18" else weights)
    return (
        source == "random"
        and run.train_from == "head"
        and run.backbone == NULL_BACKBONES[run.system]
        and run.head == HEADS[run.system]
        and run.loss == "categorical"
        and run.batch_norm == "inference"
    )


def _define_null(system):
    backbone = NULL_BACKBONES[system]
    name = f"{backbone} untrained, frozen"
    return Experiment(system, name, backbone, HEADS[system], system, weights="random")


def _list_s2():
    # Keras has no ImageNet weights of ResNet18.
    own = {"system": "S2", "backbone": "resnet18", "head": "average_pool", "weights": "random"}
    return [
        Experiment(
            name="ResNet18, everything trained",
            train_from="everything",
            schedule="S2_fine_tuned",
            claim="s2_fine_tuned",
            **own,
        ),
        Experiment(name="ResNet18, fixed features", schedule="S2_fixed", claim="s2_fixed", **own),
        # What the source printed as its fixed scenario, though it updated the last layer alone.
        Experiment(
            name="ResNet18, first convolution frozen",
            train_from="stage1_block1_1_pad",
            schedule="S2_fine_tuned",
            **own,
        ),
    ]


def _list_s3():
    def define(name, backbone, head="dense_64", schedule="S3", **options):
        return Experiment("S3", name, backbone, head, schedule, **options)

    scratch = {"weights": "random", "train_from": "everything"}
    runs = [
        define("Flatten, Dense 64", "pixels", weights="random"),
        define("One convolution, Dense 64", "one_convolution", **scratch),
        define("VGG16, convolutions frozen", "vgg16"),
        define("VGG16 frozen, binary cross-entropy", "vgg16", loss="binary"),
        define("NIH-pretrained ResNet18, frozen", "resnet18", weights="nih"),
    ]
    for backbone, name in (("resnet50", "ResNet50"), ("mobilenet_v2", "MobileNetV2")):
        runs.append(define(f"{name}, frozen", backbone))
        runs.append(define(f"{name}, frozen, batch statistics", backbone, batch_norm="batch"))
    for number in (1, 2, 3):
        kept = f"{number} dense layer{'s' * (number > 1)} kept"
        backbone = f"vgg16_fc{number}"
        runs.append(define(f"VGG16 (a) frozen, {kept}", backbone, "scores"))
        runs.append(
            define(f"VGG16 (b) {kept}, trained", backbone, "scores", "S3_tuned", train_from="fc1")
        )
        layer = VGG16_LAST_CONVOLUTIONS[number]
        last = f"last {number} convolution{'s' * (number > 1)}"
        runs.append(
            define(f"VGG16 (c) {last} trained", "vgg16", schedule="S3_tuned", train_from=layer)
        )
    return runs


def _list_s4():
    def define(name, backbone, claim="", **options):
        return Experiment(
            "S4", name, backbone, "dense_512", options.pop("schedule", "S4"), claim=claim, **options
        )

    scratch = {"weights": "random", "train_from": "everything"}
    tuned = {"schedule": "S4_tuned"}
    return [
        define("CNN from scratch", "lung_cnn", "s4_cnn_one_channel", **scratch),
        define(
            "CNN from scratch, class weights", "lung_cnn", "s4_cnn", has_class_weights=True,
            **scratch,
        ),
        define("VGG16, frozen", "vgg16", "s4_vgg16"),
        define("VGG19, frozen", "vgg19", "s4_vgg19"),
        define("ResNet50, frozen, Dense 512", "resnet50", "s4_resnet50"),
        define("Xception, frozen", "xception", "s4_xception"),
        define("InceptionV3, frozen", "inception_v3", "s4_inception_v3"),
        define(
            "ResNet50, conv5 trained", "resnet50", "s4_resnet50_conv5",
            train_from="conv5_block1_1_conv", **tuned,
        ),
        define(
            "Xception, last block trained", "xception", "s4_xception_tuned",
            train_from="block14_sepconv1", **tuned,
        ),
    ]  # fmt: skip


def _start_from(runs, path):
    """Runs on the network that is saved start from it, and what is not among them is added."""
    backbone = saved.read_card(path)["name"]
    runs = [
        dataclasses.replace(run, weights=path)
        if run.backbone == backbone and not run.weights
        else run
        for run in runs
    ]
    known = {dataclasses.replace(run, name="", claim="") for run in runs}
    added = [
        run
        for run in _list_saved(backbone, path)
        if dataclasses.replace(run, name="", claim="") not in known
    ]
    return runs + added


def _list_saved(backbone, path):
    for system in published.SYSTEMS:
        frozen = "S2_fixed" if system == "S2" else system
        tuned = "S2_fine_tuned" if system == "S2" else f"{system}_tuned"
        for train_from, schedule, how in (
            ("head", frozen, "frozen"),
            ("everything", tuned, "everything trained"),
        ):
            name = f"{backbone}, {how} ({system})"
            yield Experiment(
                system, name, backbone, HEADS[system], schedule, train_from, weights=path
            )
