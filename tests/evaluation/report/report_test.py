"""Text of the report for a complete run, an incomplete run and no run."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil

import evaluated_run
import numpy as np
import pytest
from html_parser import Reader
from PIL import Image

from cpcnn_jax import __main__ as command
from cpcnn_jax.evaluation.report import (
    density_levels,
    gallery,
    page,
    protocol,
    provenance,
    published_results,
    results_table,
    run_files,
    svg_chart,
    training_curves,
)

VOID = {"meta", "link", "img", "input", "br"}


@pytest.fixture
def folder(tmp_path):
    return evaluated_run.write(tmp_path / "a run")


def write_html(folder):
    return page.write(folder).read_text("utf-8")


def write_text(folder):
    """Writes the report and returns its text, on one line."""
    return re.sub(r"\s+", " ", Reader(write_html(folder)).text)


def render_part(render, folder):
    """Renders one section, which is faster than the page."""
    return render(run_files.read_run(folder))


def change(file, **values):
    """Sets values of a JSON object; None removes the key."""
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def rows(html, kind):
    """Extracts the text of each cell of a table's body."""
    body = re.search(rf'<table class="{kind}">.*?<tbody>(.*?)</tbody>', html, re.S)[1]
    cells = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.S)
    return [
        [Reader(cell).text for cell in cells.findall(row)]
        for row in re.findall(r"<tr.*?</tr>", body, re.S)
    ]


# --- the document ---


def test_elements_are_closed_and_ids_are_unique(folder):
    html = write_html(folder)
    document = html[html.index("<body>") :]
    open_ = []
    for end, name in re.findall(r"<(/?)([a-zA-Z]+)\b[^>]*?(?<!/)>", document):
        if name == "script":
            break
        if end:
            assert open_.pop() == name
        elif name not in VOID:
            open_.append(name)
    assert open_ == ["body"]
    ids = [a["id"] for _, a in Reader(html).elements if "id" in a]
    charts = [i for i in ids if re.fullmatch(r"[mp][0-9a-f]{10}", i)]
    assert len(set(ids)) == len(ids) and charts


def test_page_loads_nothing_and_runs_one_script(folder):
    html = write_html(folder)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    script = html[html.index("<script>") + 8 : html.rindex("</script>")]
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{sha}'" in policy and "default-src 'none'" in policy
    for name, attributes in Reader(html).elements:
        for source in ("src", "href", "xlink:href"):
            assert attributes.get(source, "#").startswith(("#", "data:")), name
        assert not [a for a in attributes if a.startswith("on")]
    assert not re.search(r"@import|url\((?!#)|fetch\(|http(?!-equiv)", html)


def test_image_names_are_escaped(folder):
    html = write_html(folder)
    read = Reader(html)
    assert [name for name, _ in read.elements].count("script") == 1
    assert html.count("</script>") == 1 and html.count("<script") == 1
    assert evaluated_run.HOSTILE in [row[0] for row in rows(html, "images")]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<!-- hash -->", "$x$"])
def test_contents_of_files_are_escaped(folder, text):
    change(folder / "metrics.json", psnr_ssim=text, mae_per_level=[{"level": text}])
    change(folder / "config.json", data={"part": "A", "root": text})
    change(folder / "environment.json", commit=text, devices=[text], packages={text: 1})
    line = {"stage": text, "step": 1, "loss": 1.5, text: 1.5}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    shutil.copytree(folder, named := folder.parent / text.replace("/", "_"))
    read = Reader(write_html(named))
    assert [name for name, _ in read.elements].count("script") == 1
    assert read.text.count(text) >= 6


# --- contents ---


def test_scores_stand_beside_the_published_ones(folder):
    scores = json.loads((folder / "metrics.json").read_text())
    html = render_part(results_table.render, folder)
    ours, mean, *papers = rows(html, "results")
    low, high = scores["mae_interval"]
    mae = f"{scores['mae']:.1f}95%: {low:.1f} to {high:.1f}"
    assert ours[:2] == ["This run", mae] and ours[3:] == ["21.25", "0.62", "measured"]
    assert mean[:2] == ["Constant training mean", "303.8"]
    (full,) = (row for row in papers if "the adversary" in row[0])
    assert full[1:] == ["73.6", "106.4", "21.72", "0.72", "verified"]
    assert "RMSE (MSE in crowd papers)" in Reader(html).text


@pytest.mark.parametrize(
    "model, steps, row",
    [
        ((False, False, False), 0, "CP-CNN, DME alone104.3154.2––recalled"),
        ((True, False, True), 0, "CP-CNN, DME, GCE and F-CNN89.9127.9––recalled"),
        ((True, True, True), 0, "CP-CNN, all four networks76.1110.2––recalled"),
        ((True, True, True), 9, "adversary73.6106.421.720.72verified"),
    ],
)
def test_row_of_the_same_networks_is_marked(folder, model, steps, row):
    names = ("use_gce", "use_lce", "use_fcnn")
    model = dict(zip(names, model, strict=True))
    change(folder / "config.json", model=model, adversary={"steps": steps})
    html = render_part(results_table.render, folder)
    (same,) = re.findall(r'<tr class="same">.*?</tr>', html, re.S)
    assert Reader(same).text.endswith(row)


def test_networks_without_published_row_are_reported(folder):
    model = {"use_gce": False, "use_lce": True, "use_fcnn": True}
    change(folder / "config.json", model=model)
    html = render_part(results_table.render, folder)
    assert 'class="same"' not in html
    assert "The paper has no row with exactly the networks of this run." in html


@pytest.mark.parametrize(
    "data, expected",
    [
        ({"part": "A"}, "73.6"),
        ({"part": "B"}, "20.1"),
        ({"fold": 2}, "295.8"),
        ({"num_train": 6}, None),
        ({"root": "x"}, None),
        (None, None),
    ],
)
def test_each_data_set_has_its_published_table(data, expected):
    table = published_results.find_table({"data": data}, {})
    full = (
        [row for row in table.rows if row.networks == published_results.ALL]
        if table
        else ()
    )
    assert [f"{row.scores[0]}" for row in full] == ([expected] if expected else [])


def test_world_expo_scores_are_per_scene(folder):
    scenes = {"200608": 14.5, "104207": 3.25, "200702": 9, "202201": 8, "500717": 6}
    change(folder / "config.json", data={"root": "x"})
    scores = {"mae_per_scene": scenes, "mae_of_scenes": 8.15}
    change(folder / "metrics.json", **scores)
    ours, *_, full = rows(render_part(results_table.render, folder), "results")
    assert ours[1:6] == ["3.2", "14.5", "9.0", "8.0", "6.0"] and "8.2" in ours[6]
    assert full[1:7] == ["2.9", "14.7", "10.5", "10.4", "5.8", "8.9"]


@pytest.mark.parametrize(
    "row", published_results.WORLD_EXPO.rows, ids=lambda row: row.method
)
def test_mean_of_published_scenes_is_the_published_mean(row):
    *scenes, published = row.scores
    assert published == pytest.approx(np.mean(scenes), abs=0.1)


def test_protocol_describes_the_evaluation(folder):
    text = Reader(render_part(protocol.render, folder)).text
    assert "the numbers of annotated heads" in text
    assert "The test images were scored once in this run." in text
    assert "The last stage, density, keeps step 100 with MAE 64.5" in text
    assert "PSNR and SSIM are divided by the true map's peak." in text
    change(folder / "metrics.json", test_evaluations=3, count_reference="maps")
    text = Reader(render_part(protocol.render, folder)).text
    assert "scored 3 times in this run" in text and "sums of the true maps" in text


def test_provenance_lists_commit_and_versions(folder):
    text = Reader(render_part(provenance.render, folder)).text
    for word in ("0123abcd", "2 × cuda", "3.11.7", "jax0.10.2", '"part": "A"'):
        assert word in text


def test_each_level_has_its_error(folder):
    levels = [
        {"level": "ex-lo", "above": 0, "to": 120, "num_images": 2, "mae": 12.25},
        {"level": "lo", "above": 120, "to": 1500, "num_images": 0, "mae": None},
        {"level": "hi", "above": 1500, "to": None, "num_images": 7, "mae": 49},
    ]
    change(folder / "metrics.json", mae_per_level=levels)
    html = render_part(density_levels.render, folder)
    assert rows(html, "levels") == [
        ["ex-lo", "0 to 120", "2", "12.2"],
        ["lo", "120 to 1,500", "0", "–"],
        ["hi", "above 1,500", "7", "49.0"],
    ]
    assert re.findall(r"--share: ([\d.]+)%", html) == ["25.0", "0.0", "100.0"]


def test_images_are_listed_from_the_worst(folder):
    with open(folder / "predictions.csv", newline="") as file:
        table = list(csv.DictReader(file))
    errors = {r["name"]: float(r["predicted"]) - float(r["count"]) for r in table}
    expected = sorted(errors, key=lambda name: -abs(errors[name]))
    html = write_html(folder)
    assert [row[0] for row in rows(html, "images")] == expected
    signs = [row[3][0] for row in rows(html, "images")]
    assert signs == ["−" if errors[name] < 0 else "+" for name in expected]


def test_points_lie_at_their_counts(folder):
    places = {
        int(a["data-rank"]): (float(a["cx"]), float(a["cy"]))
        for name, a in Reader(write_html(folder)).elements
        if name == "circle"
    }
    images = run_files.read_run(folder).images
    assert sorted(places) == list(range(1, len(images) + 1))
    x, y = np.transpose([places[rank] for rank in sorted(places)])
    slope, _ = np.polyfit([p.count for p in images], x, 1)
    down, _ = np.polyfit([p.predicted for p in images], y, 1)
    assert slope > 0 and down == pytest.approx(-slope, rel=1e-3)
    np.testing.assert_allclose(
        np.diff(x), slope * np.diff([p.count for p in images]), atol=0.11
    )


# --- curves ---


def test_repeated_log_steps_count_once(folder):
    log = run_files.read_run(folder).log
    assert list(log) == ["gce", "density"]
    assert [line["step"] for line in log["gce"]] == [10, 20, 30, 40]
    merged = run_files.read_run(folder).log["density"]
    assert training_curves.extract_series(merged, "validation_mae") == [(100, 64.5)]


def test_labels_of_curves_describe_both_ends(folder):
    labels = [a.get("aria-label", "") for _, a in Reader(write_html(folder)).elements]
    assert "gce, loss: training from 0.1 at step 10 to 0.025 at step 40" in labels


def test_charts_use_the_colors_of_the_page():
    figure, axes = svg_chart.blank_chart(300, 200, x="step", y="loss")
    axes.plot([0, 1], [1, 0], color=svg_chart.ACCENT)
    svg = svg_chart.inline_svg(figure, label="a line")
    assert "var(--accent)" in svg and "var(--soft)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg.replace("#000000", ""))
    assert ">step</text>" in svg and "<style" not in svg and "<metadata" not in svg


# --- pictures ---


def test_best_median_and_worst_are_named(folder):
    html, _ = render_part(gallery.render, folder)
    captions = re.findall(r"<figcaption><strong>(.*?)</strong>", html)
    assert captions[0] == "Best count" and captions[2] == "Worst count"
    assert captions[1] in ("Median", "Nearest to the median")
    assert len(captions) == 5 and captions[3].startswith("Rank ")


def test_pictures_are_encoded_as_small_jpegs(folder):
    file = folder / "pictures" / "001_x.png"
    noise = np.random.default_rng(0).integers(0, 256, (500, 2400, 4), np.uint8)
    Image.fromarray(noise, "RGBA").save(file)
    data, size = gallery.encode_jpeg(file)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1200, 250))
    assert size == (1200, 250)


def test_gallery_has_a_maximum_number_of_pictures(tmp_path):
    folder = evaluated_run.write(tmp_path / "run", number=40)
    for rank, image in enumerate(run_files.read_run(folder).images, 1):
        name = f"{rank:03d}_{image.name}".replace("/", "_")
        Image.new("RGB", (40, 20)).save(folder / "pictures" / f"{name}.png")
    ranks = gallery.select_ranks(run_files.read_run(folder).pictures)
    assert len(ranks) == gallery.MAX_PICTURES and (ranks[0], ranks[-1]) == (1, 40)


def test_pictures_of_other_predictions_are_left_out(folder):
    best, worst = (next((folder / "pictures").glob(f"{n}_*")) for n in ("001", "030"))
    best.rename(best.with_name("001_IMG_999.png"))
    worst.rename(worst.with_name("031_IMG_30.png"))
    assert not {1, 30, 31} & run_files.read_run(folder).pictures.keys()
    assert "Best count" not in render_part(gallery.render, folder)[0]


# --- incomplete runs ---


@pytest.mark.parametrize(
    "missing, sentence",
    [
        ("metrics.jsonl", "no metrics.jsonl with losses"),
        ("config.json", "no config.json with the experiment"),
        ("environment.json", "no environment.json with machine and commit"),
        ("pictures", "no readable pictures of these predictions"),
    ],
)
def test_missing_files_are_reported(folder, missing, sentence):
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert sentence in write_text(folder)


ROW = {"name": "a", "level": "lo", "count": 1, "predicted": 2}


@pytest.mark.parametrize("key", evaluated_run.scores([ROW]).keys())
def test_every_score_may_be_absent_or_null(folder, key):
    (folder / "metrics.jsonl").unlink()  # faster without curves
    change(folder / "metrics.json", **{key: None})
    page.write(folder)
    file = folder / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: None}))
    page.write(folder)


def test_run_of_older_code_is_reported(folder):
    (folder / "metrics.json").write_text('{"mae": 3.25, "rmse": NaN, "num_images": 2}')
    text = "name,count,predicted,psnr,ssim\na,3,2,inf,0.5\nb,0,0,20,\n"
    (folder / "predictions.csv").write_text(text)
    html, text = write_html(folder), write_text(folder)
    assert rows(html, "images") == [
        ["a", "3", "2.0", "−1.0", "–", "0.500"],
        ["b", "0", "0.0", "0.0", "20.00", "–"],
    ]
    assert "no density levels to filter by" in text
    assert "no error per density level" in text
    assert "does not record how often the test images were scored" in text


def test_truncated_log_and_broken_picture_are_skipped(folder):
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('[1]\n{"stage": "gce"}\n{"stage": "gce", "step": 50, "lo')
    for file in (folder / "pictures").glob("001_*"):
        file.write_bytes(b"\x89PNG\r\n\x1a\n")
    html = write_html(folder)
    assert "Best count" not in html and "Worst count" in html
    assert "40 steps" in Reader(html).text


def test_report_command_on_a_trained_run(whole, tmp_path, capsys):
    workdir, _ = whole
    out = tmp_path / "r.html"
    assert command.main(["report", str(workdir), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    scores = json.loads((workdir / "metrics.json").read_text())
    html = out.read_text("utf-8")
    assert rows(html, "results")[0][1].startswith(f"{scores['mae']:,.1f}")
    assert html.count("data:image/jpeg") == len(list(workdir.glob("pictures/*.png")))
    assert html.count("<h3>") >= 6 and "Adversarial training" in html


# --- errors ---


def fail(capsys, *args):
    """Runs the command, which must fail with one line on stderr."""
    status = command.main(["report", *map(str, args)])
    out, err = capsys.readouterr()
    assert (status, out) == (1, "") and err.startswith("report: ")
    assert err.count("\n") == 1
    return err


def test_folder_without_run_fails(tmp_path, capsys):
    assert "is no folder: name the workdir" in fail(capsys, tmp_path / "nothing")
    assert "has no metrics.json: it is no run" in fail(capsys, tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\xff", "[" * 100_000])
@pytest.mark.parametrize("name", ["metrics.json", "config.json", "environment.json"])
def test_damaged_file_is_named(folder, capsys, name, text):
    (folder / name).write_bytes(text.encode("latin1"))
    assert f"{folder / name} is damaged" in fail(capsys, folder)
    assert not (folder / "report.html").exists()


def test_empty_or_missing_predictions_fail(folder, capsys):
    (folder / "predictions.csv").write_text("name,count,predicted\n")
    assert "has no image: evaluate the run again" in fail(capsys, folder)
    (folder / "predictions.csv").unlink()
    assert "predictions.csv does not exist" in fail(capsys, folder)


def test_output_that_cannot_be_written_fails(folder, capsys):
    out = folder / "nowhere" / "report.html"
    assert str(out) in fail(capsys, folder, "--out", out)


def test_missing_argument_is_status_2(capsys):
    with pytest.raises(SystemExit) as error:
        command.main(["report"])
    assert error.value.code == 2
    assert "run" in capsys.readouterr().err
