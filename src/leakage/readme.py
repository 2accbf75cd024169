"""Keep the numbers of README and docs what the results say.

`python -m leakage.readme README.md` fills the blocks `<!-- NAME -->` ... `<!-- /NAME -->` of that
file and of `DOCS` beside it, draws docs/results.png and docs/worth.png and writes
results/claims.md, all from `results/` beside it.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

import leakcard
from leakage import claims, figures, report
from leakcard import files

BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
DOCS = ("docs/results.md", "docs/speed.md", "docs/probes.md")
CHEST_RUN, WOLVES_RUN = "vgg16", "wolves"
# One draw each, of which README shows the first.
DRAW_RUNS = {CHEST_RUN: "draw 20", "vgg16-draw21": "draw 21", "vgg16-draw22": "draw 22"}
# The first decides, by docs/protocol.md; the others stand beside it.
WORTH_RUNS = {
    "worth_vgg16": "VGG16, ImageNet weights",
    "worth_vgg16-untrained": "VGG16, untrained",
    "worth_mobilenet": "MobileNet, ImageNet weights",
}
WORTH_RUN = next(iter(WORTH_RUNS))
# The score by which docs/protocol.md decides each family of contrasts.
DECIDING = {"H0": "accuracy", "H3": "accuracy", "H1": "AUC covid", "H2": "AUC covid"}
ON_ACCURACY = dict.fromkeys(("H0", "H3", "H1"), "accuracy")
WORTH_PICTURE = "docs/worth.png"
WELL_FOUND = 0.95
PICTURE, CLAIMS = "docs/results.png", "claims.md"
# What the README shows of the run on real images: claims, and what the card's cross-validated
# classifier finds in the outer tenth of the same draw of images alone.
PAPER, ADULTS = "children as controls", "adults only, patients disjoint"
OWN, SWAPPED = "wolf/husky, own backgrounds", "wolf/husky, backgrounds swapped"
ROWS = (
    ("network, controls as published (children)", CHEST_RUN, "03", PAPER, "paper"),
    ("border alone of the same images", CHEST_RUN, "03", "children as controls", None),
    ("network, adult controls, disjoint patients", CHEST_RUN, "03", ADULTS, "strict"),
    ("border alone of the same images", CHEST_RUN, "03", "adults only patients disjoint", None),
    ("wolf or husky, usual backgrounds", WOLVES_RUN, "02", OWN, "ancestor"),
    ("the same, backgrounds swapped", WOLVES_RUN, "02", SWAPPED, "ancestor"),
)
FINDING = (
    "**A published network tells COVID-19, normal and pneumonia apart on {0.published:.1%} of "
    "chest X-rays ({0.published_k:.0f} of {0.published_n:.0f}; the best of 15 networks). Repeated "
    "with VGG16 it is {0.value:.1%} [{0.lower:.1%}, {0.upper:.1%}; {0.over_seeds}], and a "
    "classifier that sees nothing but the border of these images reaches {1.value:.1%} "
    "[{1.lower:.1%}, {1.upper:.1%}]. With adult controls and disjoint patients the network is "
    "right on {2.value:.1%} [{2.lower:.1%}, {2.upper:.1%}; {2.over_seeds}], the border alone on "
    "{3.value:.1%} [{3.lower:.1%}, {3.upper:.1%}]; chance is {2.chance:.1%}.** Other draws of the "
    "images: {draws}.\n"
)
OTHER_DRAW = (
    "{0.value:.1%} with children (border {1.value:.1%}), {2.value:.1%} with adults (border "
    "{3.value:.1%})"
)
# Of the same draw: what the published head makes of the border when it is trained on it.
BORDER_RUN = "treatments_vgg16"
BORDER = (
    "The two classifiers are not the same: retrained on the border of the first draw, the "
    "published head itself is right on {}; on {}.\n"
)
ALT = "Accuracies with 95 % intervals: {}. Diamonds: as published; dotted: chance."


def collect_rows(results_dir, rows=ROWS):
    """Find the six rows of the README in the records and report cards of the runs on real images.

    Parameters
    ----------
    results_dir : str or Path
    rows : sequence of tuple
        What to find, as `ROWS`.

    Returns
    -------
    DataFrame of shape (n_rows, 12)
        `label, value, lower, upper, k, n, published, published_k, published_n, chance, verdict,
        over_seeds`: the last in words.

    Raises
    ------
    ValueError
        If the run does not hold one of them.
    """
    run_dirs = {run: Path(results_dir) / run for _, run, *_ in rows}
    claims_of = {
        run: report.find_claims(report.collect_records(path)) for run, path in run_dirs.items()
    }
    cards = {run: leakcard.read_cards(path) for run, path in run_dirs.items()}
    collected = []
    for label, run, notebook, name, protocol in rows:
        claims = claims_of[run]
        if protocol is None:
            card = cards[run].get(f"{notebook} {name}")
            found = card and vars(card.get_row("border_classifier"))
        else:
            is_it = (claims["variant"] == name) & (claims["protocol"] == protocol)
            is_it &= claims["notebook"].str.startswith(notebook)
            found = claims[is_it].iloc[0].to_dict() if is_it.any() else None
        if found is None:
            raise ValueError(
                f"README shows {name!r} (protocol {protocol}) of notebook {notebook}. Run it with "
                f"--name {run}, or change `leakage.readme.ROWS`. Received: none in {run_dirs[run]}"
            )
        over_seeds = _describe_seeds(found.get("seeds"))
        collected.append({**found, "label": label, "over_seeds": over_seeds})
    columns = ["label", "value", "lower", "upper", "k", "n", "published_k", "published_n",
               "chance", "verdict", "over_seeds"]  # fmt: skip
    table = pd.DataFrame(collected).reindex(columns=columns)
    return table.assign(published=(table["published_k"] / table["published_n"]).astype(float))


def _describe_seeds(seeds):
    return f"{min(seeds):.1%} to {max(seeds):.1%} over {len(seeds)} seeds" if seeds else ""


def format_finding(results_dir):
    """The finding in a paragraph with numbers."""
    first, *others = _collect_draws(results_dir).values()
    told = [OTHER_DRAW.format(*rows.itertuples()) for rows in others]
    finding = FINDING.format(*first.itertuples(), draws="; ".join(told) or "none")
    return finding + _describe_border(Path(results_dir) / BORDER_RUN)


def _describe_border(run_dir):
    """What one and the same head is worth on whole images and on their border."""
    if not run_dir.is_dir():
        return ""
    records = report.collect_records(run_dir)
    records = records[(records["version"] == "border only") & (records["mode"] == "retrained")]
    heads = []
    for variant, who in ((PAPER, "children"), (ADULTS, "adults")):
        own = records[records["variant"] == variant].set_index("metric")
        right, lost = (own.loc[f"counterfactual_{name}"] for name in ("accuracy", "difference"))
        below = (
            f"{-100 * lost.value:.0f} points ({-100 * lost.upper:.0f} to {-100 * lost.lower:.0f})"
        )
        heads.append(f"{right.value:.1%} with {who}, {below} below the whole image")
    return BORDER.format(*heads)


def _collect_draws(results_dir):
    return {
        name: collect_rows(
            results_dir, [(row[0], run, *row[2:]) for row in ROWS if row[1] == CHEST_RUN]
        )
        for run, name in DRAW_RUNS.items()
        if run == CHEST_RUN or (Path(results_dir) / run).is_dir()
    }


def format_results(results_dir):
    """The six rows as a Markdown table."""
    lines = [
        "| accuracy of | published | found here | 95 % interval | chance | of all seeds |",
        "|---|---|---|---|---|---|",
    ]
    for row in collect_rows(results_dir).itertuples():
        counted = "" if pd.isna(row.k) else f" ({row.k:.0f} of {row.n:.0f})"
        published = (
            ""
            if pd.isna(row.published)
            else f"{row.published:.3f} ({row.published_k:.0f} of {row.published_n:.0f})"
        )
        chance = "" if pd.isna(row.chance) else f"{row.chance:.3f}"
        lines.append(
            f"| {row.label} | {published} | {row.value:.3f}{counted} "
            f"| {row.lower:.3f} to {row.upper:.3f} | {chance} | {row.over_seeds} |"
        )
    return "\n".join(lines) + "\n"


def format_draws(results_dir):
    """The rows on chest X-rays, once a draw that was run."""
    tables = _collect_draws(results_dir)
    lines = [f"| accuracy of | {' | '.join(tables)} |", "|---" * (len(tables) + 1) + "|"]
    for rows in zip(*(table.itertuples() for table in tables.values()), strict=True):
        told = [
            f"{row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})"
            + (f"; {row.over_seeds}" if row.over_seeds else "")
            for row in rows
        ]
        lines.append(f"| {rows[0].label} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def format_picture(results_dir):
    """The address of the picture, with the numbers that it shows as its description."""
    return f"![{describe_picture(results_dir)}]({PICTURE})\n"


def describe_picture(results_dir):
    """Say in a sentence what the picture shows; it holds this text, so that it can be checked."""
    rows = collect_rows(results_dir).itertuples()
    return ALT.format("; ".join(f"{row.label} {row.value:.3f}" for row in rows))


def format_speed(results_dir):
    """What the benchmarks of the committed results say, as a Markdown table."""
    folder = Path(results_dir) / "benchmarks"
    studies = json.loads((folder / "ancestor.json").read_text(encoding="utf-8"))
    audits = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    lines = ["| what | by the clock |", "|---|---|"]
    for name, study in studies["published_study"].items():
        faster = study["times_faster"]["seconds"]
        lines.append(
            f"| published study, {name}: feature bank and heads, times faster | {faster:.0f} |"
        )
    for run in audits["runs"]:
        num_drawn = run["num_images"] - audits["num_real"]
        images = f"real X-rays and {num_drawn:,} phantoms" if num_drawn > 0 else "real X-rays"
        lines.append(
            f"| report card of {min(run['num_images'], audits['num_real']):,} {images} | "
            f"{run['seconds']:.0f} s, at most {run['gigabytes']} GB |"
        )
    repairs = json.loads((folder / "repair.json").read_text(encoding="utf-8"))
    largest = max(run["num_images"] for run in repairs["runs"])
    slowest = max(run["seconds"] for run in repairs["runs"] if run["num_images"] == largest)
    lines.append(f"| new split of {largest:,} planted rows, audits apart | {slowest:.1f} s |")
    machines = (
        f"{what}: {told['machine']['processor']}, {told['machine']['num_cores']} cores"
        for what, told in (("Study", studies), ("report cards", audits), ("splits", repairs))
    )
    return "\n".join(lines) + f"\n\n{'; '.join(machines)}.\n"


def format_repair(results_dir):
    """What `leakcard repair` changed of real splits, as a Markdown table."""
    path = Path(results_dir) / "benchmarks" / "repair.json"
    lines = [
        "| split | rows | moved | dropped | test set | of it in training too, by copy or patient |",
        "|---|---|---|---|---|---|",
    ]
    for one in json.loads(path.read_text(encoding="utf-8"))["real"]:
        before, after = one["before"], one["after"]
        shared = [max(when["shared"].values(), key=lambda n: n or 0) for when in (before, after)]
        lines.append(
            f"| {one['name']} | {one['rows']} | {one['moved']} | {sum(one['dropped'].values())} "
            f"| {before['test_images']} → {after['test_images']} "
            f"| {shared[0]:.1%} → {shared[1] or 0:.1%} |"
        )
    return "\n".join(lines) + "\n"


def format_probes(results_dir):
    """How often probes name models of which it is known what they read, as a Markdown table."""
    path = Path(results_dir) / "benchmarks" / "probes.json"
    lines = [
        "| what the model reads | accuracy | named | as following | use in points, mean |",
        "|---|---|---|---|---|",
    ]
    for one in json.loads(path.read_text(encoding="utf-8"))["models"]:
        points = ", ".join(f"{part} {value:+.1f}" for part, value in one["mean_points"].items())
        parts = ", ".join(one["parts"]) or "nothing"
        lines.append(
            f"| {one['model']} | {one['mean_accuracy']:.3f} | {one['named']} of {one['seeds']} "
            f"| {parts} | {points} |"
        )
    return "\n".join(lines) + "\n"


def collect_worth(results_dir, scores, run=WORTH_RUN):
    """Find contrasts of notebook 04 in the records of a run of it on real images.

    Parameters
    ----------
    results_dir : str or Path
    scores : dict of str to str
        Family of contrasts of docs/protocol.md to the score that is asked for.
    run : str
        One of `WORTH_RUNS`.

    Returns
    -------
    DataFrame
        As `evaluation.tabulate_worth`, with `family` and `score`.
    """
    records = report.collect_records(Path(results_dir) / run)
    rows = []
    for family, score in scores.items():
        found = records[(records["protocol"] == family) & (records["class"] == score)]
        for name, part in found.groupby("variant", sort=False):
            part = part.set_index(["metric", "interval"])
            worth, people = (part.loc[("worth", kind)] for kind in ("draws", "patient_bootstrap"))
            rows.append(
                {"family": family, "score": score, "contrast": name, "num_draws": int(worth["n"]),
                 "worth": worth["value"], "lower": worth["lower"], "upper": worth["upper"],
                 "patient_lower": people["lower"], "patient_upper": people["upper"],
                 "p_holm": part.loc[("worth_p_holm", "none"), "value"],
                 "smallest": part.loc[("smallest_worth", "none"), "value"]}
            )  # fmt: skip
    return pd.DataFrame(rows)


def format_worth(results_dir):
    """What each leak is worth, each contrast on the score by which the protocol decides."""
    table = collect_worth(results_dir, DECIDING)
    lines = [
        f"| leak, {table['num_draws'].max()} draws | score | points | 95 % over draws "
        "| over patients | p (Holm) | 80 % sure to be seen from |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        p_value = f"{row['p_holm']:.3f}" if row["p_holm"] >= 0.001 else "< 0.001"
        lines.append(
            f"| {row['contrast']} | {row['score']} | {100 * row['worth']:+.1f} "
            f"| {_format_points(row)} | {_format_points(row, 'patient_')} "
            f"| {'' if row['family'] == 'H2' else p_value} | {100 * row['smallest']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def format_worths(results_dir):
    """The same contrasts with each network that was run, in points with 95 % over draws."""
    runs = {run: name for run, name in WORTH_RUNS.items() if (Path(results_dir) / run).is_dir()}
    tables = [collect_worth(results_dir, DECIDING, run) for run in runs]
    lines = [
        f"| leak | score | {' | '.join(runs.values())} |",
        "|---|---|" + "---|" * len(tables),
    ]
    for rows in zip(*(table.to_dict("records") for table in tables), strict=True):
        told = [f"{100 * row['worth']:+.1f} ({_format_points(row)})" for row in rows]
        lines.append(f"| {rows[0]['contrast']} | {rows[0]['score']} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def describe_worth(results_dir):
    """Say what the picture of `draw_worth` shows."""
    told = [
        f"{row['contrast']} {100 * row['worth']:+.1f} ({_format_points(row)})"
        for row in collect_worth(results_dir, ON_ACCURACY).to_dict("records")
    ]
    return f"Points of accuracy that each leak is worth, 95 % over draws: {'; '.join(told)}."


def draw_worth(path, results_dir):
    """Draw what each leak is worth in accuracy, as notebook 04 does."""
    with matplotlib.rc_context(figures.set_style()):
        figure = Figure(figsize=(9, 4.8))
        axes = figure.subplots()
        figures.draw_worth(axes, collect_worth(results_dir, ON_ACCURACY))
        axes.set_xlabel("points of accuracy that the leak is worth")
        text = describe_worth(results_dir)
        figure.savefig(path, metadata={"Software": None, "Description": text})


def _format_points(row, start=""):
    return " to ".join(f"{100 * row[f'{start}{end}']:+.1f}" for end in ("lower", "upper"))


def format_worth_picture(results_dir):
    """The address of that picture, with the numbers that it shows as its description."""
    return f"![{describe_worth(results_dir)}]({WORTH_PICTURE})\n"


def format_rates(results_dir):
    """What the card finds and falsely alarms, by the sets that `benchmarks.sensitivity` draws."""
    folder = Path(results_dir) / "sensitivity"
    rates, outcomes = pd.read_csv(folder / "rates.csv"), pd.read_csv(folder / "outcomes.csv")
    clean, leaks = rates[~rates["is_leak"]], rates[rates["is_leak"]]
    found = (leaks["alarms"] / leaks["sets"]).to_numpy() >= WELL_FOUND
    sizes = leaks["size"].astype(int)
    parts = [
        f"{found[sizes == size].sum()} of {(sizes == size).sum()} kinds of leak in {size} images"
        for size in sorted(set(sizes))
    ]
    missed = leaks[~found & (sizes == sizes.max())]
    named = [f"{row.kind} ({row.alarms} of {row.sets})" for row in missed.itertuples()]
    num_sets, alarms, tested = leaks["sets"].min(), clean["alarms"].sum(), clean["sets"].sum()
    rows = outcomes[~outcomes["kind"].isin(leaks["kind"])]
    fails = rows["status"].eq("fail").groupby([rows["kind"], rows["size"], rows["seed"]]).any()
    return (
        f"**How good is it?** Sets whose truth is known are drawn and audited, {num_sets} of each "
        "kind of leak and size (`python -m benchmarks.sensitivity`). Found in at least "
        f"{WELL_FOUND:.0%} of the sets: {'; '.join(parts)}. Missed more often at "
        f"{sizes.max()} images: {', '.join(named) or 'none'}. Of {len(fails)} clean sets "
        f"{fails.sum()} failed; {alarms} of {tested:,} of their testable rows alarm "
        f"({alarms / tested:.1%}). Every rule's own rates: [docs/rules](docs/rules/).\n"
    )


BLOCKS = {
    "claims": claims.format_count,
    "rates": format_rates,
    "worth": format_worth,
    "worths": format_worths,
    "worth_picture": format_worth_picture,
    "finding": format_finding,
    "results": format_results,
    "draws": format_draws,
    "picture": format_picture,
    "speed": format_speed,
    "repair": format_repair,
    "probes": format_probes,
}


def draw_picture(path, results_dir):
    """Draw the rows and save them with their description within the file."""
    text = describe_picture(results_dir)
    with matplotlib.rc_context(figures.set_style()):
        figure = Figure(figsize=(9, 4.2))
        axes = figure.subplots()
        figures.draw_scores(axes, collect_rows(results_dir), xlabel="accuracy")
        axes.set_xlim(-0.02, 1.02)
        figure.savefig(path, metadata={"Software": None, "Description": text})


PICTURES = {
    PICTURE: (describe_picture, draw_picture),
    WORTH_PICTURE: (describe_worth, draw_worth),
}


def fill_blocks(text, results_dir):
    """Fill every block of a text whose name is one of `BLOCKS`."""

    def fill(match):
        start, name, end = match.groups()
        if name not in BLOCKS:
            raise ValueError(f"Expected a block named {', '.join(BLOCKS)}. Received: {name!r}")
        return start + BLOCKS[name](results_dir) + end

    return BLOCK.sub(fill, text)


def update_readme(readme, results_dir=None):
    """Bring README, docs, picture and claims up to date; return the names of what changed."""
    folder = Path(readme).absolute().parent
    results_dir = Path(results_dir or folder / "results")
    changed = []
    for path in filter(Path.is_file, (Path(readme), *(folder / name for name in DOCS))):
        old = path.read_text(encoding="utf-8")
        new = fill_blocks(old, results_dir)
        if new != old:
            files.write_text(path, new)
            changed.append(path.name)
    for name, (describe, draw) in PICTURES.items():
        picture = folder / name
        if f"]({name})" in Path(readme).read_text(encoding="utf-8"):
            if read_description(picture) != describe(results_dir):
                picture.parent.mkdir(exist_ok=True)
                draw(picture, results_dir)
                changed.append(picture.name)
    table = results_dir / CLAIMS
    if "<!-- claims -->" in Path(readme).read_text(encoding="utf-8"):
        new = claims.format_claims(results_dir)
        if not table.is_file() or table.read_text(encoding="utf-8") != new:
            files.write_text(table, new)
            changed.append(table.name)
    return changed


def read_description(picture):
    """The text within a PNG that says what it shows; empty where there is no such file."""
    if not Path(picture).is_file():
        return ""
    with Image.open(picture) as image:
        return image.text.get("Description", "")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m leakage.readme", description=__doc__)
    parser.add_argument("readme", nargs="?", default="README.md")
    options = parser.parse_args(arguments)
    changed = update_readme(options.readme)
    sys.stdout.write(f"{', '.join(changed)}: updated\n" if changed else "All up to date.\n")


if __name__ == "__main__":
    main()
