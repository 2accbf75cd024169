"""A run's results without a run: all that the page of results shows, in a second."""

import base64
import collections
import html.parser

import nbformat
import pandas as pd
from matplotlib.figure import Figure

import leakcard
from leakage import record, report
from leakcard import files

COMMON = {"system": "S1", "protocol": "paper", "backbone": "vgg19", "weights": "random (seed 0)"}
NAME, AT_A_GLANCE = "01_toy_notebook", "08_results_at_a_glance"


def make_results(folder, data_source="phantoms", variant="toy"):
    """Notebook 01 with everything, and 08 as it is when it was executed after it."""
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
    for metric in ("energy_in_mask", "mask_area", "enrichment"):
        energy = {"metric": metric, "class": "covid, trained", "value": 0.25, "verdict": None}
        rows.append(rows[0] | energy)
    records = record.make_records(
        pd.DataFrame(rows), notebook=NAME, data_source=data_source, **COMMON
    )
    record.write_metrics(folder / NAME, records)
    files.write_text(folder / NAME / f"{NAME}.ipynb", "{}")
    found = [
        leakcard.Row("L1.4", "a", "Duplicates", "fail", "3 images", action="Take them out"),
        leakcard.Row("L2", "b", "Border", "warn", "accuracy 0.6"),
        leakcard.Row("L1.1", "d", "A test set", "pass"),
    ]
    about = {"num_rows": 3, "num_images": 3, "splits": {"test": 3}, "labels": ["covid"],
             "num_unreadable": 0, "unreadable": [], "is_phantom": True}  # fmt: skip
    leakcard.write_cards(folder / NAME, {"first draw": leakcard.ReportCard(found, about)})
    save_figure(folder / NAME, "roc", 'An <odd> "curve".')
    write_glance(folder)
    return folder


def write_glance(folder):
    """Write notebook 08 as if it had run: hidden cells, the table of claims and a figure."""
    records = report.collect_records(folder)
    claims = report.find_claims(records)
    table = report.Table(
        report.make_claims_table(records).drop(columns="system"),
        "Published and found accuracies",
        pd.DataFrame({"published": claims["published_k"] / claims["published_n"]}),
    )
    path = save_figure(folder / AT_A_GLANCE, "claims", "Every claim.")
    picture = {"image/png": base64.b64encode(path.read_bytes()).decode()}
    alt = {"image/png": {"alt": "Every claim."}}
    hidden = {"tags": ["not_on_the_page"]}
    v4 = nbformat.v4
    badge = "# Title\n\n![badge](https://example.org/badge.svg)"
    shown = v4.new_output("execute_result", {"text/html": table._repr_html_(), "text/plain": ""})
    cells = [
        v4.new_markdown_cell(badge, metadata=hidden),
        v4.new_code_cell("import secrets_of_the_code"),
        v4.new_markdown_cell("## Result\n\nWhat *was* found."),
        v4.new_code_cell(outputs=[v4.new_output("display_data", picture, metadata=alt)]),
        v4.new_code_cell(outputs=[shown]),
        v4.new_code_cell(outputs=[v4.new_output("stream", name="stdout", text="3 claims")]),
    ]
    nbformat.write(v4.new_notebook(cells=cells), folder / AT_A_GLANCE / f"{AT_A_GLANCE}.ipynb")


def save_figure(folder, name, alt_text, width_inches=6):
    figure = Figure(figsize=(width_inches, 3))
    figure.subplots().plot([0, 1])
    return record.save_figure(figure, folder, name, alt_text)


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
