"""Every claim of the published systems: their scores, the effects and the words.

What a source says stands here once, with where among our records (`Asked`) an answer would be.
`leakage.claims.answers` looks there. Numbers are the sources' own; see `leakage.published`.
"""

from dataclasses import dataclass

from leakage import published
from leakage.published import LUNG_ABLATION, RESULTS


@dataclass(frozen=True)
class Asked:
    """A place among our records.

    Attributes
    ----------
    notebook : str
        The two digits it begins with.
    variant : str
    metric, class_name : str
        As recorded, or a name in `leakage.claims.answers.DERIVED`.
    protocol : str
        Empty where any will do.
    obstacle : str
        What in it is not what the source did, so that it cannot answer; empty if nothing.
    """

    notebook: str
    variant: str
    metric: str = "accuracy"
    class_name: str = "all"
    protocol: str = ""
    obstacle: str = ""


@dataclass(frozen=True)
class Claim:
    """One published claim.

    Attributes
    ----------
    key : str
        For a score, its key in `published.RESULTS`.
    says : str
        The claim in words.
    published : str
        The number as printed or as it follows from what is; empty where there is none.
    ours : tuple of tuples of Asked
        Alternatives. Of one place its value is asked, of two the first minus the second. Empty
        where no notebook records an answer.
    sign : {-1, 0, 1}
        Of the value, or of what it has over `than`; 0 where the source saw no effect.
    than : float
    networks : tuple of str
        The published ones.
    takes : str
        What it would take to judge it.
    kind : {"score", "classes", ""}
        An accuracy, all scores by class of a result, an effect or a statement.
    """

    key: str
    says: str
    published: str = ""
    ours: tuple[tuple[Asked, ...], ...] = ()
    sign: int = 0
    than: float = 0.0
    networks: tuple[str, ...] = ()
    takes: str = ""
    kind: str = ""

    @property
    def system(self):
        """S1 to S5."""
        return RESULTS[self.key].system if self.key in RESULTS else self.key[:2].upper()


# Where each published result is found in records that do not name it themselves.
_CHILDREN, _WOLVES = "children as controls", "wolf/husky, "
PLACES = {
    "paper_vgg19": Asked("01", _CHILDREN, protocol="paper"),
    "ancestor_reproduced": Asked("01", _CHILDREN, protocol="ancestor"),
    "ancestor_corrected": Asked("03", "adult collection as controls"),
    "wolf_leaky": Asked("02", _WOLVES + "own backgrounds"),
    "wolf_swap": Asked("02", _WOLVES + "backgrounds swapped"),
    "wolf_white": Asked("02", _WOLVES + "white"),
    "s2_fine_tuned": Asked("05", "ResNet18, everything trained"),
    "s2_fixed": Asked("05", "ResNet18, fixed features"),
    "s3_transplant": Asked("06", "study: threshold transplant"),
    "s4_cnn": Asked("05", "CNN from scratch, class weights"),
    "s4_cnn_one_channel": Asked("05", "CNN from scratch"),
    "s4_vgg16": Asked("05", "VGG16, frozen"),
    "s4_vgg19": Asked("05", "VGG19, frozen"),
    "s4_resnet50": Asked("05", "ResNet50, frozen, Dense 512"),
    "s4_xception": Asked("05", "Xception, frozen"),
    "s4_inception_v3": Asked("05", "InceptionV3, frozen"),
    "s4_resnet50_conv5": Asked("05", "ResNet50, conv5 trained"),
    "s4_xception_tuned": Asked("05", "Xception, last block trained"),
    "s5_siamese": Asked("07", "siamese, class means"),
    "s5_single": Asked("07", "single net"),
    "s5_single_cropped": Asked("07", "single net, cropped"),
}
# What a comparison with the scores of a system would take.
TAKES = {
    "S1": "VGG19 with ImageNet weights, fresh views, the files of the sources",
    "S2": "ResNet18 with ImageNet weights at 256 pixels and the published 624 test images",
    "S3": "the networks with ImageNet weights, and the pictures that hold its numbers",
    "S4": "its masked images, its test sets and their sizes; ImageNet weights where it had them",
    "S5": "the image lists of COVIDx, 224 pixels, 128 filters, the published epochs",
}
ATTRIBUTION = "an attribution that passes its positive controls (energy in a mask did not)"


def _list_results():
    """The accuracy of every result, and its scores by class in one claim."""
    for key, result in RESULTS.items():
        place = ((PLACES[key],),)
        common = {"ours": place, "networks": (result.backbone,), "takes": TAKES[result.system]}
        yield Claim(key, f"{result.name}: accuracy", kind="score", **common)
        if result.class_scores:
            yield Claim(key, f"{result.name}: by class", kind="classes", **common)


def _points(difference):
    return f"{100 * difference:+.1f} points"


def _differ(first, second):
    return _points(RESULTS[first].value - RESULTS[second].value)


def _pair(notebook, first, second, *score):
    return ((Asked(notebook, first, *score), Asked(notebook, second, *score)),)


def _share(key, row, column=None):
    """Share of a published confusion matrix: of a true class, or of what was called a class."""
    matrix = RESULTS[key].confusion
    if column is None:
        return matrix[row][row] / sum(matrix[row])
    return matrix[row][column] / sum(line[column] for line in matrix)


# fmt: off
def _list_s1():
    matrix, place = RESULTS["paper_vgg19"].confusion, PLACES["paper_vgg19"]
    errors = sum(map(sum, matrix)) - sum(matrix[i][i] for i in range(3))
    asked = Asked(place.notebook, place.variant, "errors_without", "covid", "paper")
    yield Claim("s1_errors",
                "Its errors are mostly between normal and pneumonia, which share a source",
                f"{matrix[1][2] + matrix[2][1]} of {errors} errors", ((asked,),), 1, 0.5,
                ("vgg19",))
    yield Claim("s1_best", "VGG19 is the best of 15 pretrained networks", networks=("vgg19",),
                takes="the other 14 with ImageNet weights, chosen on the validation images, not "
                      "the test")
    for name, key, other, network, says in (
        ("drop", "ancestor_corrected", "ancestor_reproduced", "vgg19",
         "With adult controls the accuracy falls"),
        ("wolf_swap", "wolf_swap", "wolf_leaky", "small_cnn",
         "With backgrounds swapped the accuracy falls: it read the background"),
        ("wolf_white", "wolf_white", "wolf_leaky", "small_cnn",
         "On white backgrounds the accuracy is lower: 90 % was too optimistic"),
    ):
        yield Claim(f"s1_{name}", says, _differ(key, other), ((PLACES[key], PLACES[other]),), -1,
                    networks=(network,))


def _list_s2():
    tuned, fixed = PLACES["s2_fine_tuned"].variant, PLACES["s2_fixed"].variant
    common = {"networks": ("resnet18",), "takes": TAKES["S2"]}
    yield Claim("s2_worse", "Training everything generalises worse than fixed features",
                _differ("s2_fine_tuned", "s2_fixed"), _pair("05", tuned, fixed), -1, **common)
    yield Claim("s2_missed", "Trained through, fewer images called normal are pneumonia "
                '("false positives": 1 of 119 against 11 of 155)',
                _points(_share("s2_fine_tuned", 0, 0) - _share("s2_fixed", 0, 0)) + " of precision",
                _pair("05", tuned, fixed, "precision", "normal"), 1, **common)
    for key, name, place in (("s2_fine_tuned", "everything trained", tuned),
                             ("s2_fixed", "fixed features", fixed)):
        yield Claim(f"{key}_normals", f"Normals are missed more often than pneumonias ({name})",
                    _points(_share(key, 0) - _share(key, 1)) + " of recall",
                    ((Asked("05", place, "recall", "normal"),
                      Asked("05", place, "recall", "pneumonia")),), -1, **common)
    yield Claim("s2_validation", "Its validation set of 16 images says little about the test set",
                takes="that set, and validation and test scores of each epoch in the records")
    yield Claim("s2_parameters",
                "11,171,074 of 11,180,610 parameters are trained as fixed features",
                "11,171,074 of 11,180,610",
                takes="the counts of notebook 05 in its records (it prints them)")


def _list_s3():
    frozen, simple = "VGG16, convolutions frozen", ("one_convolution", "pixels")
    flat, convolution = "Flatten, Dense 64", "One convolution, Dense 64"
    transplant = "study: threshold transplant"
    vgg = {"networks": ("vgg16",), "takes": TAKES["S3"]}
    for key, variant, name, network in (
        ("flat", flat, flat, "pixels"),
        ("convolution", convolution, "one convolution before it", "one_convolution"),
    ):
        yield Claim(f"s3_easy_{key}",
                    f'"A very easy problem": without transfer it does well ({name})',
                    ours=((Asked("05", variant, "lead"),),), sign=1, networks=(network,))
    yield Claim("s3_close", "The simple networks with and without a convolution are close",
                ours=_pair("05", convolution, flat), networks=simple)
    yield Claim("s3_sensitivity",
                "ImageNet VGG16 misses fewer COVID-19 images than the simple network",
                ours=_pair("05", frozen, flat, "recall", "covid"), sign=1,
                networks=("vgg16", "pixels"), takes=TAKES["S3"])
    yield Claim("s3_nih", "With NIH weights it is worse than chance",
                ours=((Asked("05", "NIH-pretrained ResNet18, frozen", "lead"),),), sign=-1,
                networks=("the downloaded NIH network, which was broken",))
    for key, name in (("resnet50", "ResNet50"), ("mobilenet_v2", "MobileNetV2")):
        own = {"sign": -1, "networks": (key, "vgg16"), "takes": TAKES["S3"]}
        yield Claim(f"s3_{key}", f"{name} overfits and is worse than VGG16",
                    ours=_pair("05", f"{name}, frozen", frozen), **own)
        yield Claim(f"s3_{key}_norm", f"Frozen batch normalisation is why {name} overfits",
                    ours=_pair("05", f"{name}, frozen, batch statistics", f"{name}, frozen"), **own)
    yield Claim("s3_resnet50_unfrozen",
                "ResNet50 stays low with its batch normalisation unfrozen",
                takes="that run in notebook 05, ImageNet weights")
    for number in (1, 2, 3):
        kept = f"{number} dense layer{'s' * (number > 1)} kept"
        yield Claim(f"s3_freeze_{number}", f"Freezing hardly matters: (a) or (b), {kept}",
                    ours=_pair("05", f"VGG16 (b) {kept}, trained", f"VGG16 (a) frozen, {kept}"),
                    networks=(f"vgg16_fc{number}",), takes="VGG16's own ImageNet dense layers")
    for number in (1, 2, 3):
        last = f"last {number} convolution{'s' * (number > 1)}"
        says = "falls far off" if number == 3 else "hardly matters"
        yield Claim(f"s3_train_{number}", f"Training the {last} (c) {says}",
                    ours=_pair("05", f"VGG16 (c) {last} trained", frozen), sign=-(number == 3),
                    **vgg)
    yield Claim("s3_letters", "The letters in the corners decide (Grad-CAM)",
                takes="letters outlined in the real images, and an attribution that passes its "
                      "positive controls; on phantoms notebook 06 plants them, which is no "
                      "verdict on this")
    for key, name in (("crop", "Cropping"), ("crop+inpaint", "Cropping and inpainting")):
        yield Claim(f"s3_{key}", f"{name} makes the accuracy better",
                    ours=_pair("06", f"study: {key}", "study: none"), sign=1, **vgg)
    yield Claim("s3_lungs", "After inpainting Grad-CAM shows nothing but the lungs",
                takes=ATTRIBUTION)
    yield Claim("s3_falls", "With symbols transplanted VGG16 falls, to about 50 %",
                ours=_pair("06", transplant, "study: none"), sign=-1, **vgg)
    yield Claim("s3_falls_simple",
                "With symbols transplanted the simple network falls to about 50 %", "around 50 %",
                takes="Flatten, Dense 64 among the networks of notebook 06")
    yield Claim("s3_bones", "Afterwards bones and breast outlines decide on no-finding images",
                takes="bones outlined in the real images, and an attribution that passes its "
                      "controls")
    yield Claim("s3_unfit", "No model trained on this data alone is fit for medical use",
                takes="cases and controls of one source, and a test set of another")


def _list_s4():
    scratch, weighted = PLACES["s4_cnn_one_channel"].variant, PLACES["s4_cnn"].variant
    for key, first, second, says, sign in (
        ("best", "s4_vgg16", "s4_resnet50", "ResNet50 is the best frozen network, VGG16 next", -1),
        ("conv5", "s4_resnet50_conv5", "s4_resnet50", "Training conv5 of ResNet50 helps", 1),
        ("xception", "s4_xception_tuned", "s4_xception", "Training the end of Xception helps", 1),
        ("transfer", "s4_resnet50_conv5", "s4_cnn", "ResNet50 is better than from scratch", 1),
    ):
        yield Claim(f"s4_{key}", says, _differ(first, second), ((PLACES[first], PLACES[second]),),
                    sign, takes=TAKES["S4"],
                    networks=(RESULTS[first].backbone, RESULTS[second].backbone))

    def find(names, obstacle=""):
        return (Asked("06", f"ablation: {names}", "main_effect", obstacle=obstacle),)

    of_class, common = RESULTS["s4_cnn"].class_scores["f1"], {"networks": ("lung_cnn",)}
    runs = LUNG_ABLATION
    usual = runs["masked (benchmark)"]
    yield Claim("s4_viral",
                "From scratch, healthy is found best, viral worst (F1; judged: their order)",
                _points(of_class["healthy"] - of_class["viral"]),
                ((Asked("05", weighted, "f1", "healthy"), Asked("05", weighted, "f1", "viral")),),
                1, **common)
    yield Claim("s4_weights", "Class weights cost accuracy", _points(runs["class weights"] - usual),
                (*_pair("05", weighted, scratch), find("class weights, none to balanced")), -1,
                **common)
    yield Claim("s4_weights_raw", "Class weights cost accuracy on raw images too",
                _points(runs["raw, class weights, wrong normalisation"]
                        - runs["raw, wrong normalisation"]),
                takes="the CNN from scratch with masks and without, both ways of weighting")
    yield Claim("s4_normalisation", "Normalisation gains accuracy",
                _points(usual - runs["no normalisation"]),
                (find("normalisation, none to normalise"),), 1, **common)
    yield Claim("s4_augmentation", "Augmentation gains accuracy",
                _points(usual - runs["no augmentation"]), (find("augmentation, off to on"),), 1,
                **common)
    yield Claim("s4_epoch", "Without augmentation it overfits from epoch 8 on",
                takes="the CNN from scratch without augmentation, and its curves in the records")
    yield Claim("s4_outliers", "Removing outliers of quality may cost accuracy",
                _points(runs["BRISQUE outliers removed"] - usual),
                (find("quality outliers, kept to removed", "outliers of sharpness instead of "
                      "BRISQUE"),), -1, takes="BRISQUE's model files", **common)
    box = "a box in the centre instead of outlines of the lungs"
    yield Claim("s4_masked", "Masked lungs gain nothing over raw images",
                _points(usual - runs["raw"]),
                (find("lungs, raw to mask only"), find("lungs, raw to centre box only", box)),
                takes="the polygons of v7labs (06 uses them where the folder is there)", **common)
    yield Claim("s4_spread", "Two equal runs differ by about one point",
                f"{100 * abs(runs['masked, again'] - usual):.1f} points, once",
                ((Asked("06", "ablation", "run_to_run_deviation",
                        obstacle="one published difference, a deviation of ours"),),),
                takes="several equal runs of the CNN from scratch on the published images",
                **common)
    for name in ("COVID-19", "bacterial"):
        yield Claim(f"s4_quality_{name}",
                    f"Quality (BRISQUE) of {name} is worse than of healthy images", "p < 0.05",
                    takes="BRISQUE's model files and v7labs' images; 06 tests what it has "
                          "(sharpness) and records nothing of it")


def _list_s5():
    siamese, single, cropped = (
        PLACES[key].variant for key in ("s5_siamese", "s5_single", "s5_single_cropped")
    )
    common = {"networks": ("covid_net",), "takes": TAKES["S5"]}
    recall = [RESULTS[key].class_scores["recall"]["covid"] for key in ("s5_single", "s5_siamese")]
    for key, name, value in (("siamese", "Siamese net, 129 three-way trials", "0.736"),
                             ("single", "Single net", "0.795")):
        yield Claim(f"s5_validation_{key}", f"{name}: best validation accuracy", value,
                    takes=f"{TAKES['S5']}, and the validation scores of notebook 07 in its records")
    yield Claim("s5_better", "The siamese net is better than the single net",
                _differ("s5_siamese", "s5_single"), _pair("07", siamese, single), 1, **common)
    yield Claim("s5_covid", "On COVID-19 images the single net is better",
                _points(recall[0] - recall[1]), _pair("07", single, siamese, "recall", "covid"), 1,
                **common)
    yield Claim("s5_crop", "Cropping costs accuracy", _differ("s5_single_cropped", "s5_single"),
                _pair("07", cropped, single), -1, **common)
    yield Claim("s5_borders",
                "Some answers rest on the borders; cropping mends some and spoils others",
                takes=ATTRIBUTION)
# fmt: on


CLAIMS = (*_list_results(), *_list_s1(), *_list_s2(), *_list_s3(), *_list_s4(), *_list_s5())
SOURCES = {
    "S1": f"doi {published.PAPER['doi']}; {published.ANCESTOR}",
    "S2": published.TRANSFER_LEARNING,
    "S3": published.LUNG_REPORT,
    "S4": published.LUNG_SLIDES,
    "S5": published.SIAMESE_NET,
}
