"""Where the runs of a comparison start: their backbones."""

from tqdm import tqdm

from leakage import networks, published


def choose_size_px(experiment, size_px=None):
    """Side of the images of a run: what was asked for, or as published, and never too small."""
    size_px = size_px or published.INPUT_SIZE_PX[experiment.system]
    family = networks.BACKBONES.get(experiment.backbone)
    return max(size_px, family.minimum_size_px) if family else size_px


def build_backbones(runs, weights, size_px=None, nih=None):
    """Build the backbone of each run; runs that start from the same one share it.

    Parameters
    ----------
    runs : sequence of Experiment
    weights : str
        The study's source of weights, unless a run has its own.
    size_px : int, optional
        Side of the images; by default as published. Networks that need more get their least.
    nih : leakage.networks.Backbone, optional
        For runs with weights "nih": from `pretrain_on_findings`.

    Returns
    -------
    dict of str to leakage.networks.Backbone
        By the name of the run.
    """
    built, found = {}, {}
    for run in tqdm(runs, "build backbones", leave=False):
        source = run.weights or weights
        if source == "nih":
            if nih is None:
                raise ValueError(
                    "A run with NIH weights needs them. Expected `nih` from "
                    f"`transfer.pretrain_on_findings`. Received: None for {run.name!r}."
                )
            found[run.name] = nih
            continue
        key = (run.backbone, source, choose_size_px(run, size_px))
        if key not in built:
            built[key] = networks.build_backbone(*key)
        found[run.name] = built[key]
    return found
