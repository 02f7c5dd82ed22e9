"""Exported files against the networks: their parts, their densities, their refusals."""

import hashlib
import json
import subprocess
import sys

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_experiment
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.cli import export
from cpcnn_jax.export import onnx_axes, onnx_graph, parity, stablehlo
from cpcnn_jax.export import onnx_model as onnx_file
from cpcnn_jax.inference import counter
from cpcnn_jax.models import context_map
from cpcnn_jax.models.fcnn import PointwiseFusion
from cpcnn_jax.models.lce import LocalContextEstimator
from cpcnn_jax.weights import serialization

# Of the highest density: what was seen is 3e-6, of the same sums in another order.
CLOSE = 1e-5


def decisive():
    """The tiny networks with classifiers that tell one window from another."""
    model, drawn = tiny_experiment.networks()
    for name, value in drawn.items():
        if name.startswith(("gce", "lce")):  # He's initialisation, without biases
            fan_in = value[..., 0].size
            scale = 0 if name.endswith("bias") else 10 * np.sqrt(2 / fan_in)
            drawn[name] = np.float32(scale * (4 if "logits" in name else 1)) * value
    return model, drawn


@pytest.fixture(scope="module")
def ready():
    return counter.Counter(*decisive(), blocks=4)


@pytest.fixture(scope="module")
def made():
    return onnx_file.export_model(*decisive(), blocks=4)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    serialization.save(
        folder / "weights.safetensors",
        decisive()[1],
        tiny_experiment.get_config().model,
    )
    return folder


def photograph(height, width):
    """Levels that differ from place to place, and some noise."""
    rng = np.random.default_rng(height)
    ground = np.linspace(0, 1, height)[:, None] * np.linspace(0.2, 1, width)[None]
    noise = rng.random((height, width, 3)) / 4
    return np.float32(0.75 * ground[..., None] + noise)


def nearly(found, expected):
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE * largest)


# --- The graph's parts ---


def values(wanted, *, length):
    """What the nodes that wanted(op, length) adds compute of a length."""
    op = onnx_graph.Graph()
    found = wanted(op, "length")
    names = [f"out{i}" for i, _ in enumerate(found)]
    for name, value in zip(names, found, strict=True):
        op("Cast", value, to=onnx.TensorProto.DOUBLE, output=name)
    ends = [
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name in names]
        for names, kind, shape in (
            (["length"], onnx.TensorProto.INT64, []),
            (names, onnx.TensorProto.DOUBLE, None),
        )
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(op.nodes, "parts", *ends, op.constants),
        opset_imports=[onnx.helper.make_opsetid("", onnx_graph.OPSET)],
        ir_version=onnx_graph.IR_VERSION,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"length": np.array(length)})


@pytest.mark.parametrize("length", [64, 68, 128, 132, 300, 1024])
@pytest.mark.parametrize("blocks", [1, 3, 4])
def test_blocks_lie_and_cover_as_in_the_context(length, blocks):
    def wanted(op, length):
        spans = onnx_axes.block_spans(op, length, blocks)
        return [*spans, onnx_axes.coverage(op, length, spans)]

    starts, stops, cover = values(wanted, length=length)
    spans = context_map.block_spans(length, blocks)
    assert list(zip(starts, stops, strict=True)) == spans
    np.testing.assert_allclose(cover, context_map.coverage(length, spans), atol=1e-7)


@pytest.mark.parametrize("length", [64, 68, 128, 132, 300, 1024])
@pytest.mark.parametrize("stride", [64, 40])
def test_windows_lie_and_cover_as_in_the_context(length, stride):
    def wanted(op, length):
        spans = onnx_axes.window_spans(op, length, window=64, stride=stride)
        return [*spans, onnx_axes.coverage(op, length, spans)]

    starts, stops, cover = values(wanted, length=length)
    spans = context_map.window_spans(length, window=64, stride=stride)
    assert list(zip(starts, stops, strict=True)) == spans
    np.testing.assert_allclose(cover, context_map.coverage(length, spans), atol=1e-7)


@pytest.mark.parametrize(("length", "blocks"), [(64, 4), (500, 3), (896, 4), (1200, 4)])
def test_blocks_are_resized_as_jax_does(length, blocks):
    def wanted(op, length):
        spans = onnx_axes.block_spans(op, length, blocks)
        return [onnx_axes.resizing(op, length, spans, 224)]

    (matrix,) = values(wanted, length=length)
    line = np.random.default_rng(0).random(length, np.float32)
    expected = [
        jax.image.resize(line[start:stop], (224,), "bilinear")
        for start, stop in context_map.block_spans(length, blocks)
    ]
    # JAX works out where a pixel lies in float32, the graph in whole numbers.
    np.testing.assert_allclose(matrix @ line, np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("length", [64, 65, 67, 101])
def test_the_end_is_repeated_up_to_a_multiple_of_4(length):
    def wanted(op, length):
        return [onnx_axes.repeating(op, length, onnx_axes.rounded_up(op, length))]

    (places,) = values(wanted, length=length)
    expected = np.pad(np.arange(length), (0, -length % 4), mode="edge")
    np.testing.assert_array_equal(places, expected)


# --- Whole files ---

SIZES = [(64, 64), (65, 67), (70, 101), (131, 190), (250, 66)]


def test_context_matters_in_these_networks(ready, made):
    image = photograph(131, 190)
    found = ready.count(image)
    for scores in (found.global_scores, found.local_scores):
        assert np.ptp(scores, axis=(0, 1)).max() > 0.2
    for network in ("gce", "lce"):
        model, other = decisive()
        name = f"{network}/head/logits/bias"
        other[name] = np.float32([9, 0, 0, 0, 0])  # all windows are of one class
        changed = onnx_file.export_model(model, other, blocks=4)
        density = onnx_file.make_runner(changed)(image[None])[0, ..., 0]
        apart = np.abs(density - found.density).max()
        assert apart > 100 * CLOSE * np.abs(found.density).max()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_onnx_is_the_networks(ready, made, size):
    image = photograph(*size)
    density = onnx_file.make_runner(made)(image[None])
    assert density.shape == (1, *size, 1) and density.dtype == np.float32
    nearly(density[0, ..., 0], ready.count(image).density)


def test_onnx_is_what_its_standard_says(made):
    model = onnx.load_from_string(made)
    onnx.checker.check_model(model, full_check=True)
    (image,), (density,) = model.graph.input, model.graph.output
    sizes = [
        [axis.dim_param or axis.dim_value for axis in end.type.tensor_type.shape.dim]
        for end in (image, density)
    ]
    assert sizes == [[1, "height", "width", 3], [1, "height", "width", 1]]
    assert (image.name, density.name) == ("image", "density")


def test_onnx_refuses_what_is_smaller_than_a_window(made):
    image = np.zeros((1, 60, 80, 3), np.float32)  # from 61 it is padded to 64
    with pytest.raises(Exception, match="out of data bounds"):
        onnx_file.make_runner(made)(image)


# Rows of the paper's ablation, and grids that are not the usual ones.
OTHERS = {
    "no context, no fusion": (dict(gce=None, lce=None, fcnn=PointwiseFusion()), 4),
    "overlapping windows alone": (dict(gce=None, lce_stride=40), 4),
    "unequal blocks alone": (dict(lce=None), 3),
    "LCE on VGG-16": (
        dict(gce=None, lce=LocalContextEstimator((), (8, 8), 5, 3, 0.125)),
        4,
    ),
    "LCE that sees around": (
        dict(
            lce=LocalContextEstimator((), (8, 8), 5, 3, 0.125),
            lce_input_size=128,
            lce_stride=96,
        ),
        4,
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_other_networks(name):
    fields, blocks = OTHERS[name]
    model, image = tiny_experiment.networks()[0].clone(**fields), photograph(140, 202)
    drawn = tiny_experiment.drawn(model)
    expected = counter.Counter(model, drawn, blocks=blocks).count(image).density
    for exporter in (onnx_file, stablehlo):
        run = exporter.runner(exporter.whole(model, drawn, blocks=blocks))
        nearly(run(image[None])[0, ..., 0], expected)


ALONE = """
import sys, numpy as np, jax.export
data, *images = sys.argv[1:]
exported = jax.export.deserialize(bytearray(open(data, "rb").read()))
for image in images:
    np.save(image, exported.call(np.load(image)))
try:
    exported.call(np.zeros((1, 63, 80, 3), np.float32))
except ValueError as error:
    print("height >= 64" in str(error.__cause__))
print({"cpcnn_jax", "flax", "onnx"} & set(sys.modules))
"""


def test_stablehlo_needs_jax_alone(ready, tmp_path):
    (tmp_path / "net").write_bytes(stablehlo.export_model(*decisive(), blocks=4))
    images = [photograph(64, 64), photograph(131, 190)]
    files = [tmp_path / f"{i}.npy" for i, _ in enumerate(images)]
    for file, image in zip(files, images, strict=True):
        np.save(file, image[None])
    words = [sys.executable, "-c", ALONE, tmp_path / "net", *files]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == "True\nset()\n"
    for file, image in zip(files, images, strict=True):
        nearly(np.load(file)[0, ..., 0], ready.count(image).density)


# --- The command ---


@pytest.fixture
def run(workdir, ready, monkeypatch, capsys, tmp_path):
    """(status, stdout, stderr) of the command; networks are compiled once for all."""
    load = counter.load
    monkeypatch.setattr(
        counter, "load", lambda path: ready if path == str(workdir) else load(path)
    )

    def run(*words, weights=workdir, format="onnx", out=tmp_path / "net"):
        named = ["--weights", weights, "--format", format, "--out", out]
        status = export.main([str(word) for word in (*words, *named)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder of a colour photograph and a grey one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    levels = np.uint8(photograph(75, 110) * 255)
    Image.fromarray(levels).save(folder / "colour.png")
    Image.fromarray(levels[..., 0]).save(folder / "grey.png")
    return folder


@pytest.mark.parametrize(
    "format", ["onnx", pytest.param("stablehlo", marks=pytest.mark.long)]
)
def test_the_report_is_of_the_file(run, ready, workdir, pictures, tmp_path, format):
    report = tmp_path / "report.json"
    status, said, complaints = run(pictures, "--report", report, format=format)
    assert (status, complaints) == (0, "")
    data = (tmp_path / "net").read_bytes()
    found = json.loads(report.read_text())
    again = {"onnx": onnx_file, "stablehlo": stablehlo}[format].runner(data)
    rows, largest = found.pop("photographs"), found.pop("largest")
    assert set(found.pop("versions")) == set(parity.PACKAGES)
    assert found == {
        "file": str(tmp_path / "net"),
        "format": format,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "weights": str(workdir),
    }
    for row, name in zip(rows, ("colour.png", "grey.png"), strict=True):
        expected = ready.count(pictures / name)
        density = again(np.float32(expected.photograph.pixels)[None] / 255)[0, ..., 0]
        people = density.sum(dtype=float)
        np.testing.assert_allclose(row.pop("exported_count"), people, rtol=1e-6)
        apart = np.abs(density - expected.density).max()
        assert row["density_difference"] <= CLOSE * expected.density.max()
        np.testing.assert_allclose(row.pop("density_difference"), apart, rtol=0.5)
        assert row.pop("count_difference") <= 1e-4 * abs(expected.count)
        assert row == {
            "photograph": str(pictures / name),
            "height": 75,
            "width": 110,
            "count": expected.count,
            "highest_density": float(np.abs(expected.density).max()),
        }
    assert set(largest) == {"density_difference", "count_difference"}
    assert (
        said.startswith(f"{tmp_path}/net (") and "on 2 photographs it differs" in said
    )


def test_without_photographs_generated_ones_are_taken(run, tmp_path):
    status, said, _ = run("--max-size", "128", "--report", tmp_path / "report.json")
    assert status == 0 and "on 3 photographs" in said
    rows = json.loads((tmp_path / "report.json").read_text())["photographs"]
    assert [(row["height"], row["width"]) for row in rows] == [(96, 128)] * 3
    assert len({row["count"] for row in rows}) == 3


def test_a_photograph_smaller_than_what_the_lce_looks_at(ready):
    model = ready.model.clone(lce_input_size=128)
    wide = counter.Counter(model, ready.weights, blocks=4)
    with pytest.raises(ValueError, match="^a has 120x90 pixels, and .* from 128x128, "):
        parity.compare(wide, None, "a", photograph(90, 120), max_size=None)


def test_real_photographs(run, real_data, tmp_path):
    words = [real_data / "UCF_CC_50" / f"{n}.jpg" for n in (1, 2)]
    report = tmp_path / "report.json"
    status, *_ = run(*words, "--max-size", "250", "--report", report)
    assert status == 0
    for row in json.loads(report.read_text())["photographs"]:
        assert row["density_difference"] <= CLOSE * row["highest_density"]


def test_a_file_that_counts_otherwise_is_not_written(
    run, pictures, tmp_path, monkeypatch
):
    whole = onnx_file.export_model

    def wrong(model, trained, *, blocks):
        kernel = "fcnn/t1/kernel"
        return whole(model, {**trained, kernel: trained[kernel][::-1]}, blocks=blocks)

    monkeypatch.setattr(onnx_file, "export_model", wrong)
    (tmp_path / "net").write_text("as it was")
    status, said, complaints = run(pictures, "--report", tmp_path / "report.json")
    assert (status, said) == (1, "")
    assert f"export: {pictures}/colour.png: the exported density is" in complaints
    assert "nothing was written" in complaints and len(complaints.splitlines()) == 1
    assert (tmp_path / "net").read_text() == "as it was"
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("words", "flags", "text"),
    [
        ([], {"weights": "nowhere"}, "no weights at nowhere"),
        ([], {"weights": "setup.cfg"}, "setup.cfg does not say which networks"),
        ([], {"out": "gone/net"}, "--out=gone/net: there is no folder gone"),
        ([], {"out": "tests"}, "--out=tests is a folder: name a file in it"),
        (["--report", "gone/r"], {}, "--report=gone/r: there is no folder gone"),
        (["--report", "x"], {"out": "./x"}, "are both ./x: name two files"),
        (["--max-size", "63"], {}, "--max-size: expected at least 64, got 63"),
        (["x*y"], {}, "x*y matches no file"),
        (["setup.cfg"], {}, "setup.cfg is no JPEG, PNG"),
    ],
)
def test_what_is_wrong_is_one_sentence(run, tmp_path, monkeypatch, words, flags, text):
    monkeypatch.chdir(tiny_experiment.ROOT)
    (tmp_path / "net").write_text("as it was")
    status, said, complaints = run(*words, **flags)
    assert (status, said) == (1, "")
    assert complaints.startswith("export: ") and text in complaints
    assert len(complaints.splitlines()) == 1
    assert (tmp_path / "net").read_text() == "as it was"


def test_a_disk_that_does_not_take_it(run, pictures, tmp_path):
    (tmp_path / "net").write_text("as it was")
    (tmp_path / "net.tmp").mkdir()  # in the way
    status, _, complaints = run(pictures)
    assert status == 1 and f"Is a directory: '{tmp_path}/net'" in complaints
    assert (tmp_path / "net").read_text() == "as it was"


@pytest.mark.parametrize(
    ("format", "package"),
    [("onnx", "onnx"), ("onnx", "onnxruntime"), ("stablehlo", "flatbuffers")],
)
def test_a_package_that_is_missing(run, monkeypatch, format, package):
    monkeypatch.setitem(sys.modules, package, None)
    status, _, complaints = run(format=format)
    assert status == 1
    assert complaints == (
        f"export: --format={format} needs {package}: pip install 'cpcnn_jax[export]'\n"
    )


@pytest.mark.parametrize("words", [["--format", "tflite"], []])
def test_formats_that_are_unknown_or_not_named(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        export.main([*words, "--weights", "w", "--out", "o"])
    assert stopped.value.code == 2
    assert "onnx" in capsys.readouterr().err or not words


def test_the_command_with_nothing_of_ours_replaced(workdir, pictures, tmp_path):
    """The workdir's own weights are those that are exported."""
    words = ["--weights", workdir, "--format", "onnx", "--out", tmp_path / "net"]
    assert export.main([str(word) for word in (pictures / "grey.png", *words)]) == 0
    image = photograph(70, 80)
    density = onnx_file.make_runner((tmp_path / "net").read_bytes())(image[None])
    nearly(density[0, ..., 0], cp.load(workdir).count(image).density)
