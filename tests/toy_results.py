"""A run's results without a run: all that the page of results shows, in a second."""

import collections
import html.parser

import pandas as pd
from matplotlib.figure import Figure

import leakcard
from leakage import record
from leakcard import files

COMMON = {"system": "S1", "protocol": "paper", "backbone": "vgg19", "weights": "random (seed 0)"}


def make_results(folder, data_source="phantoms", variant="toy"):
    """Notebook 01 with everything, and the one that draws the figure to remember."""
    name = "01_toy_notebook"
    rows = []
    for number, (k, published) in enumerate([(9, 8), (2, None), (6, 5)]):
        common = {"variant": f"{variant} {number}", "seed": 20, "class": "all", "interval": "none"}
        accuracy = {"value": k / 10, "lower": k / 10 - 0.1, "upper": k / 10 + 0.1, "k": k, "n": 10}
        accuracy |= {"metric": "accuracy", "interval": "wilson"}
        accuracy |= {"published_k": published, "published_n": published and 10}
        for seed, verdict in ((20, "not comparable"), (1, None)):
            rows.append({**common, **accuracy, "seed": seed, "verdict": verdict})
            lost = {"metric": "num_classes_never_predicted", "value": number == 1}
            rows.append({**common, **lost, "seed": seed})
        rows.append(common | {"metric": "chance", "value": 0.5})
        rows.append(common | {"metric": "roc_auc", "class": "macro", "value": 0.75})
        rows.append(common | {"metric": "roc_auc", "class": "covid", "value": 0.5})
    for metric, value in (("counterfactual_accuracy", 0.4), ("reliance", 0.1)):
        change = {"variant": "toy: border only, test-time", "metric": metric, "value": value}
        rows.append(rows[0] | change | {"verdict": None})
    for metric in ("energy_in_mask", "mask_area", "enrichment"):
        energy = {"metric": metric, "class": "covid, trained", "value": 0.25, "verdict": None}
        rows.append(rows[0] | energy)
    records = record.make_records(
        pd.DataFrame(rows), notebook=name, data_source=data_source, **COMMON
    )
    record.write_metrics(folder / name, records)
    files.write_text(folder / name / f"{name}.ipynb", "{}")
    found = [
        leakcard.Row("L1.4", "a", "Duplicates", "fail", "3 images", action="Take them out"),
        leakcard.Row("L2", "b", "Border", "warn", "accuracy 0.6"),
        leakcard.Row("L3.1", "c", "Dates", "not testable", question="When?"),
        leakcard.Row("L1.1", "d", "A test set", "pass"),
    ]
    about = {"num_rows": 3, "num_images": 3, "splits": {"test": 3}, "labels": ["covid"],
             "num_unreadable": 0, "unreadable": [], "is_phantom": True}  # fmt: skip
    leakcard.write_cards(folder / name, {"first draw": leakcard.ReportCard(found, about),
                                      "second": leakcard.ReportCard(found[1:], about)})  # fmt: skip
    save_figure(folder / name, "grad_cam_toy", "Maps: covid, called normal.", width_inches=25)
    save_figure(folder / name, "roc", 'An <odd> "curve".')
    save_figure(folder / "07_toy_glance", "claims", "Every claim.")
    return folder


def save_figure(folder, name, alt_text, width_inches=6):
    figure = Figure(figsize=(width_inches, 3))
    figure.subplots().plot([0, 1])
    record.save_figure(figure, folder, name, alt_text)


class Page(html.parser.HTMLParser):
    """What a page holds: `tags`, the attributes of every element by its name, and its `text`."""

    def __init__(self):
        super().__init__()
        self.tags = collections.defaultdict(list)
        self.headings, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags[tag].append(dict(attrs))
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))

    def handle_data(self, data):
        self.text.append(data)

    @property
    def elements(self):
        return [attributes for found in self.tags.values() for attributes in found]


def read_page(content):
    page = Page()
    page.feed(content)
    page.text = " ".join(" ".join(page.text).split())
    return page
