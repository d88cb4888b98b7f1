# SPDX-License-Identifier: Apache-2.0
"""The page: whole, self-contained, accessible; and a browser that shows every figure."""

from __future__ import annotations

import base64
import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import chromium
import numpy as np
import pytest
from run_folders import records_of, run_loops

from fisher_select import datasets, report
from fisher_select.mask_profile import MaskProfile
from fisher_select.records import from_lines, to_line
from fisher_select.report import figures_of, group, read_runs, write_report
from fisher_select.report.thumbnails import all_in_words, draw_thumbnails, shown_picks

for package in ("matplotlib", "jinja2", "sklearn"):
    pytest.importorskip(package)

pytestmark = pytest.mark.slow

XHTML = "{http://www.w3.org/1999/xhtml}"
METRICS = ("accuracy", "balanced_accuracy", "macro_auc", "macro_f1", "nll", "ece")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on digits, with pictures of the picks and a mask."""
    folder = tmp_path_factory.mktemp("report")
    runs = run_loops(
        folder / "runs",
        ("random", "margin", "k_center"),
        (0, 1),
        datasets.digits(),
        initial=10,
        batch_size=10,
        rounds=4,
    )
    add_masks(runs / "margin-seed0")
    path = folder / "report.html"
    write_report(path, group(read_runs([runs])))
    return path


def add_masks(run: Path) -> None:
    """Give a run's selections the mask profile that FisherMask's have."""
    profile = MaskProfile(("conv", "head"), (5, 10), (100, 10))
    lines = []
    for value in records_of(run):
        if value["selection"] is not None:
            value["selection"]["profile"] = {
                name: list(getattr(profile, name)) for name in ("layers", "kept", "sizes")
            }
        lines.append(json.dumps(value) + "\n")
    (run / "records.jsonl").write_text("".join(lines))
    timing = '{"train_seconds": 0, "evaluate_seconds": 0, "select_seconds": 0}'
    assert to_line(from_lines(lines[0], timing)) == lines[0]


def parsed(page: Path) -> ET.Element:
    """The page as XML: well-formed, or an error."""
    return ET.fromstring(page.read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))


def elements(page: Path, tag: str) -> list[ET.Element]:
    return parsed(page).findall(f".//{XHTML}{tag}")


def test_every_figure_is_there_and_lies_beside_the_page(page: Path) -> None:
    expected = [
        "summary",
        *(f"learning-{metric}" for metric in METRICS),
        "penalties",
        "classes",
        "seconds",
        "mask-0",
        *(f"picks-{number}" for number in range(3)),
    ]
    assert sorted(path.name for path in figures_of(page).iterdir()) == sorted(
        f"{name}.png" for name in expected
    )
    embedded = [image.get("src") for image in elements(page, "img")]
    assert len(embedded) == len(expected)
    for source, name in zip(embedded, expected, strict=True):
        assert source is not None
        content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert content.startswith(b"\x89PNG")
        assert content == (figures_of(page) / f"{name}.png").read_bytes()


def test_the_page_loads_nothing(page: Path) -> None:
    assert not elements(page, "script")
    for element in parsed(page).iter():
        for name in ("src", "href"):
            assert element.get(name, "#").startswith(("data:", "#")), element.attrib
    style = "".join(element.text or "" for element in elements(page, "style"))
    assert "url(" not in style
    assert "@import" not in style
    assert "@media print" in style


def test_the_page_speaks_to_those_who_cannot_see_it(page: Path) -> None:
    root = parsed(page)
    assert root.get("lang") == "en"
    assert len(elements(page, "h1")) == 1
    for image in elements(page, "img"):
        assert len(image.get("alt", "")) > 30
    for table in elements(page, "table"):
        assert table.find(f"{XHTML}caption") is not None
        for cell in table.iter(f"{XHTML}th"):
            assert cell.get("scope") in ("row", "col")
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    links = {link.get("href", "").removeprefix("#") for link in elements(page, "a")}
    assert links
    assert links <= set(identifiers)


def test_the_tables_hold_the_numbers(page: Path) -> None:
    runs = page.parent / "runs"
    last = [records_of(runs / f"margin-seed{k}")[-1]["metrics"]["accuracy"] for k in (0, 1)]
    text = f"{100 * np.mean(last):.1f} ± {100 * np.std(last, ddof=1):.1f}"
    rows = {
        row[0].text: [cell.text for cell in row[1:]]
        for row in elements(page, "table")[0].iter(f"{XHTML}tr")
    }
    assert rows["margin"][:2] == ["2", text]
    assert set(rows) == {"strategy", "random", "margin", "k-center"}


def test_what_there_is_not_is_said(tmp_path: Path) -> None:
    """No images, no mask, one seed; two studies in one page."""
    run_loops(tmp_path / "a", seeds=(0,))
    run_loops(tmp_path / "b", seeds=(0, 1), batch_size=3)
    page = tmp_path / "page.html"
    write_report(page, group(read_runs([tmp_path])))
    text = page.read_text(encoding="utf-8")
    assert "No pictures of the picks: the data set cannot be read again" in text
    assert "Mask profile" not in text
    assert "One seed a strategy: no band" in text
    names = {path.name for path in figures_of(page).iterdir()}
    assert {"1-summary.png", "2-summary.png", "penalties.png"} <= names
    assert not any("picks" in name or "mask" in name for name in names)
    parsed(page)


def test_pictures_are_of_the_data_that_was_used(page: Path, tmp_path: Path) -> None:
    """results.json names the data set; another one, or none, is refused with its reason."""
    source = page.parent / "runs"
    runs = tmp_path / "runs"
    shutil.copytree(source / "random-seed0", runs / "random-seed0")
    study = group(read_runs([runs]))[0]
    out = tmp_path / "page.html"
    for spec, reason in (
        ("breast_cancer", "the data set breast_cancer is not the one that the run has used"),
        ({"reader": "npz", "path": "gone.npz"}, "the data set cannot be read again (cannot"),
        ({"reader": "digits"}, None),
    ):
        results = {"config": {"dataset": spec}}
        (runs / "results.json").write_text(json.dumps(results))
        write_report(out, [study])
        text = out.read_text(encoding="utf-8")
        assert ("No pictures" in text) == (reason is not None)
        assert reason is None or reason in text
    (runs / "results.json").write_text("[]")
    write_report(out, [study])
    assert "results.json is not a results file" in out.read_text(encoding="utf-8")


def test_colour_images_keep_their_colours(tmp_path: Path) -> None:
    """Red ones of 4 x 6 pixels beside dark blue ones, with class names beneath."""
    from matplotlib.image import imread

    images = np.zeros((20, 3, 4, 6))
    labels = np.arange(20) % 2
    images[labels == 0, 0] = 4.0  # any scale will do
    images[labels == 1, 2] = 2.0
    rows = images.reshape(20, -1)
    data = datasets.Dataset(
        "flags", rows, labels, rows, labels, 2, class_names=("red", "darkish blue"),
        image_shape=(3, 4, 6),
    )  # fmt: skip
    (run,) = read_runs([run_loops(tmp_path / "runs", ("random",), (0,), data)])
    picks = shown_picks(run)
    assert [labeled for labeled, _ in picks] == [4, 6, 8, 10, 12]
    draw_thumbnails(tmp_path / "picks.png", run, data, picks)
    pixels = imread(tmp_path / "picks.png")[..., :3].reshape(-1, 3)
    for colour in ([1, 0, 0], [0, 0, 0.5]):
        assert (np.abs(pixels - colour).max(axis=1) < 0.01).sum() > 1000
    words = all_in_words(run, data, picks)
    named = [("red", "darkish blue")[run.labels[row]] for row in picks[0][1].tolist()]
    assert words.startswith(f"at 4 labels {', '.join(named)}; at 6 labels ")


def test_an_unknown_metric_is_refused_before_any_file(page: Path, tmp_path: Path) -> None:
    studies = group(read_runs([page.parent / "runs"]))
    with pytest.raises(ValueError, match=r"metric must be one of accuracy, .* got 'rmse'"):
        write_report(tmp_path / "page.html", studies, metric="rmse")
    assert not list(tmp_path.iterdir())


def test_a_regression_has_its_page(tmp_path: Path) -> None:
    """No classes; lower is better."""
    pytest.importorskip("torch")
    from fisher_select import training
    from fisher_select.loop import ActiveLearner

    for seed in (0, 1):
        learner = ActiveLearner(
            lambda: training.mlp(10, (4,), 1),
            datasets.diabetes(),
            strategy="random",
            batch_size=5,
            rounds=1,
            trainer=training.TorchTrainer(epochs=2, threads=1),
            seed=seed,
            run_dir=tmp_path / f"random-seed{seed}",
        )
        list(learner)
    page = tmp_path / "page.html"
    write_report(page, group(read_runs([tmp_path])))
    text = page.read_text(encoding="utf-8")
    assert "A regression has no classes." in text
    assert "Lower is better." in text
    assert "diabetes has no images" in text


def test_legends_tell_many_strategies_apart() -> None:
    """Ten differ in marker, and no two of fifty agree in everything."""
    from fisher_select.report.style import look

    assert len({look(order)["marker"] for order in range(10)}) == 10
    styles = {
        tuple(str(look(order)[key]) for key in ("color", "linestyle", "marker"))
        for order in range(50)
    }
    assert len(styles) == 50


def test_a_browser_shows_every_figure(page: Path, tmp_path: Path) -> None:
    """Headless Chromium: no word on the console, and no image without pixels."""
    probe = (
        "<script>window.addEventListener('load', () => { document.title = 'sizes ' + "
        "[...document.images].map(i => i.complete ? i.naturalWidth : 0).join(' '); });</script>"
    )
    probed = tmp_path / "probed.html"
    text = page.read_text(encoding="utf-8")
    probed.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    shown = chromium.read(probed.as_uri(), tmp_path / "profile", milliseconds=10_000)
    found = re.search(r"<title>sizes ([\d ]+)</title>", shown)
    assert found is not None
    widths = [int(width) for width in found[1].split()]
    assert len(widths) == len(list(figures_of(page).iterdir()))
    assert min(widths) >= 600


def test_report_is_what_the_package_exports() -> None:
    for name in report.__all__:
        assert hasattr(report, name)
