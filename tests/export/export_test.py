"""Exported files against the networks, and the export command."""

import hashlib
import json
import subprocess
import sys

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_backbone
import tiny_experiment
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.cli import export
from cpcnn_jax.export import onnx_graph, onnx_model, onnx_windows, parity, stablehlo
from cpcnn_jax.inference import counter
from cpcnn_jax.models import context_map
from cpcnn_jax.models.fcnn import PointwiseFusion
from cpcnn_jax.weights import serialization

# Share of the highest density; the order of sums alone changes 3e-6.
CLOSE = 1e-5


def contrasting_networks():
    """Tiny networks whose scores differ between windows."""
    model, weights = tiny_experiment.networks()
    for name, value in weights.items():
        if name.startswith(("gce", "lce")):  # He initialization, without biases
            fan_in = value[..., 0].size
            scale = 0 if name.endswith("bias") else 10 * np.sqrt(2 / fan_in)
            weights[name] = np.float32(scale * (4 if "logits" in name else 1)) * value
    return model, weights


@pytest.fixture(scope="module")
def ready():
    return counter.Counter(*contrasting_networks(), blocks=4)


@pytest.fixture(scope="module")
def exported():
    return onnx_model.export_model(*contrasting_networks(), blocks=4)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    serialization.save(
        folder / "weights.safetensors",
        contrasting_networks()[1],
        tiny_experiment.get_config().model,
    )
    return folder


def make_image(height, width):
    """Makes an image of gradients with noise."""
    rng = np.random.default_rng(height)
    ground = np.linspace(0, 1, height)[:, None] * np.linspace(0.2, 1, width)[None]
    noise = rng.random((height, width, 3)) / 4
    return np.float32(0.75 * ground[..., None] + noise)


def assert_close(density, expected):
    largest = np.abs(expected).max()
    np.testing.assert_allclose(density, expected, rtol=0, atol=CLOSE * largest)


# --- The graph's parts ---


def evaluate(nodes, *, length):
    """Evaluates the nodes that nodes(op, length) adds, for one length."""
    op = onnx_graph.Graph()
    values = nodes(op, "length")
    names = [f"out{i}" for i, _ in enumerate(values)]
    for name, value in zip(names, values, strict=True):
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
def test_block_spans_and_coverage_equal_the_context_map(length, blocks):
    def nodes(op, length):
        spans = onnx_windows.block_spans(op, length, blocks)
        return [*spans, onnx_windows.coverage(op, length, spans)]

    starts, stops, cover = evaluate(nodes, length=length)
    spans = context_map.block_spans(length, blocks)
    assert list(zip(starts, stops, strict=True)) == spans
    np.testing.assert_allclose(cover, context_map.coverage(length, spans), atol=1e-7)


@pytest.mark.parametrize("length", [64, 68, 128, 132, 300, 1024])
@pytest.mark.parametrize("stride", [64, 40])
def test_window_spans_and_coverage_equal_the_context_map(length, stride):
    def nodes(op, length):
        spans = onnx_windows.window_spans(op, length, window=64, stride=stride)
        return [*spans, onnx_windows.coverage(op, length, spans)]

    starts, stops, cover = evaluate(nodes, length=length)
    spans = context_map.window_spans(length, window=64, stride=stride)
    assert list(zip(starts, stops, strict=True)) == spans
    np.testing.assert_allclose(cover, context_map.coverage(length, spans), atol=1e-7)


@pytest.mark.parametrize(("length", "blocks"), [(64, 4), (500, 3), (896, 4), (1200, 4)])
def test_resize_matrix_equals_jax_image_resize(length, blocks):
    def nodes(op, length):
        spans = onnx_windows.block_spans(op, length, blocks)
        return [onnx_windows.resize_matrix(op, length, spans, 224)]

    (matrix,) = evaluate(nodes, length=length)
    line = np.random.default_rng(0).random(length, np.float32)
    expected = [
        jax.image.resize(line[start:stop], (224,), "bilinear")
        for start, stop in context_map.block_spans(length, blocks)
    ]
    # JAX computes distances in float32, the graph in integers.
    np.testing.assert_allclose(matrix @ line, np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("length", [64, 65, 67, 101])
def test_edge_indices_pad_to_a_multiple_of_4(length):
    def nodes(op, length):
        return [
            onnx_windows.edge_indices(op, length, onnx_windows.round_up(op, length))
        ]

    (indices,) = evaluate(nodes, length=length)
    expected = np.pad(np.arange(length), (0, -length % 4), mode="edge")
    np.testing.assert_array_equal(indices, expected)


# --- Whole files ---

SIZES = [(64, 64), (65, 67), (70, 101), (131, 190), (250, 66)]


def test_context_changes_the_density_of_these_networks(ready, exported):
    image = make_image(131, 190)
    result = ready.count(image)
    for scores in (result.global_scores, result.local_scores):
        assert np.ptp(scores, axis=(0, 1)).max() > 0.2
    for network in ("gce", "lce"):
        model, changed = contrasting_networks()
        name = f"{network}/head/logits/bias"
        changed[name] = np.float32([9, 0, 0, 0, 0])  # one class for all windows
        run = onnx_model.make_runner(onnx_model.export_model(model, changed, blocks=4))
        difference = np.abs(run(image[None])[0, ..., 0] - result.density).max()
        assert difference > 100 * CLOSE * np.abs(result.density).max()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_onnx_density_equals_the_networks(ready, exported, size):
    image = make_image(*size)
    density = onnx_model.make_runner(exported)(image[None])
    assert density.shape == (1, *size, 1) and density.dtype == np.float32
    assert_close(density[0, ..., 0], ready.count(image).density)


def test_onnx_file_is_valid(exported):
    model = onnx.load_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    (image,), (density,) = model.graph.input, model.graph.output
    sizes = [
        [axis.dim_param or axis.dim_value for axis in end.type.tensor_type.shape.dim]
        for end in (image, density)
    ]
    assert sizes == [[1, "height", "width", 3], [1, "height", "width", 1]]
    assert (image.name, density.name) == ("image", "density")


def test_onnx_fails_for_an_image_smaller_than_a_window(exported):
    image = np.zeros((1, 60, 80, 3), np.float32)  # sides from 61 are padded to 64
    with pytest.raises(Exception, match="out of data bounds"):
        onnx_model.make_runner(exported)(image)


# Rows of the paper's ablation, and other grids.
OTHERS = {
    "no context, no fusion": (dict(gce=None, lce=None, fcnn=PointwiseFusion()), 4),
    "overlapping windows alone": (dict(gce=None, lce_stride=40), 4),
    "unequal blocks alone": (dict(lce=None), 3),
}


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_are_exported(name):
    fields, blocks = OTHERS[name]
    model, image = tiny_experiment.networks()[0].clone(**fields), make_image(140, 202)
    weights = tiny_experiment.drawn(model)
    expected = counter.Counter(model, weights, blocks=blocks).count(image).density
    for exporter in (onnx_model, stablehlo):
        run = exporter.make_runner(exporter.export_model(model, weights, blocks=blocks))
        assert_close(run(image[None])[0, ..., 0], expected)


BACKBONES = ["whole", pytest.param("without heads", marks=pytest.mark.long)]


@pytest.mark.parametrize("size", [(64, 64), (193, 200)], ids=str)
@pytest.mark.parametrize("heads", BACKBONES)
def test_shared_backbone_is_exported(heads, size):
    omitted = {"gce": None, "lce": None} if heads == "without heads" else {}
    model, weights = tiny_backbone.networks(**omitted)
    image = tiny_backbone.random_image(*size)
    expected, _ = tiny_backbone.in_one_piece(model)(weights, image)
    pixels = np.float32(image)[None] / 255
    for exporter in (onnx_model, stablehlo):
        run = exporter.make_runner(exporter.export_model(model, weights, blocks=4))
        density = run(pixels)
        assert density.shape == (1, *size, 1) and density.dtype == np.float32
        assert_close(density[0, ..., 0], expected)


def test_onnx_file_of_a_shared_backbone_is_valid():
    model, weights = tiny_backbone.networks()
    graph = onnx.load_from_string(onnx_model.export_model(model, weights, blocks=4))
    onnx.checker.check_model(graph, full_check=True)
    assert {end.name for end in (*graph.graph.input, *graph.graph.output)} == {
        *("image", "density")
    }


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


def test_stablehlo_runs_with_jax_alone(ready, tmp_path):
    (tmp_path / "net").write_bytes(
        stablehlo.export_model(*contrasting_networks(), blocks=4)
    )
    images = [make_image(64, 64), make_image(131, 190)]
    files = [tmp_path / f"{i}.npy" for i, _ in enumerate(images)]
    for file, image in zip(files, images, strict=True):
        np.save(file, image[None])
    command = [sys.executable, "-c", ALONE, tmp_path / "net", *files]
    stdout = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert stdout == "True\nset()\n"
    for file, image in zip(files, images, strict=True):
        assert_close(np.load(file)[0, ..., 0], ready.count(image).density)


# --- The command ---


@pytest.fixture
def run(workdir, ready, monkeypatch, capsys, tmp_path):
    """Runs the command, returns (status, stdout, stderr); networks compile once."""
    load = counter.load
    monkeypatch.setattr(
        counter, "load", lambda path: ready if path == str(workdir) else load(path)
    )

    def run(*args, weights=workdir, format="onnx", out=tmp_path / "net"):
        flags = ["--weights", weights, "--format", format, "--out", out]
        status = export.main([str(arg) for arg in (*args, *flags)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder with a color image and a gray one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    levels = np.uint8(make_image(75, 110) * 255)
    Image.fromarray(levels).save(folder / "color.png")
    Image.fromarray(levels[..., 0]).save(folder / "gray.png")
    return folder


@pytest.mark.parametrize(
    "format", ["onnx", pytest.param("stablehlo", marks=pytest.mark.long)]
)
def test_report_describes_the_file(run, ready, workdir, pictures, tmp_path, format):
    report = tmp_path / "report.json"
    status, stdout, stderr = run(pictures, "--report", report, format=format)
    assert (status, stderr) == (0, "")
    data = (tmp_path / "net").read_bytes()
    values = json.loads(report.read_text())
    run = {"onnx": onnx_model, "stablehlo": stablehlo}[format].make_runner(data)
    rows, largest = values.pop("photographs"), values.pop("largest")
    assert set(values.pop("versions")) == set(parity.PACKAGES)
    assert values == {
        "file": str(tmp_path / "net"),
        "format": format,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "weights": str(workdir),
    }
    for row, name in zip(rows, ("color.png", "gray.png"), strict=True):
        expected = ready.count(pictures / name)
        density = run(np.float32(expected.image.pixels)[None] / 255)[0, ..., 0]
        people = density.sum(dtype=float)
        np.testing.assert_allclose(row.pop("exported_count"), people, rtol=1e-6)
        difference = np.abs(density - expected.density).max()
        assert row["density_difference"] <= CLOSE * expected.density.max()
        np.testing.assert_allclose(row.pop("density_difference"), difference, rtol=0.5)
        assert row.pop("count_difference") <= 1e-4 * abs(expected.count)
        assert row == {
            "photograph": str(pictures / name),
            "height": 75,
            "width": 110,
            "count": expected.count,
            "highest_density": float(np.abs(expected.density).max()),
        }
    assert set(largest) == {"density_difference", "count_difference"}
    assert stdout.startswith(f"{tmp_path}/net (") and "on 2 images it differs" in stdout


def test_default_images_are_synthetic(run, tmp_path):
    status, stdout, _ = run("--max-size", "128", "--report", tmp_path / "report.json")
    assert status == 0 and "on 3 images" in stdout
    rows = json.loads((tmp_path / "report.json").read_text())["photographs"]
    assert [(row["height"], row["width"]) for row in rows] == [(96, 128)] * 3
    assert len({row["count"] for row in rows}) == 3


def test_densities_of_real_images_agree(run, real_data, tmp_path):
    images = [real_data / "UCF_CC_50" / f"{n}.jpg" for n in (1, 2)]
    report = tmp_path / "report.json"
    status, *_ = run(*images, "--max-size", "250", "--report", report)
    assert status == 0
    for row in json.loads(report.read_text())["photographs"]:
        assert row["density_difference"] <= CLOSE * row["highest_density"]


def test_file_with_other_densities_is_not_written(run, pictures, tmp_path, monkeypatch):
    export_model, kernel = onnx_model.export_model, "fcnn/t1/kernel"

    def export_flipped(model, weights, *, blocks):
        flipped = {**weights, kernel: weights[kernel][::-1]}
        return export_model(model, flipped, blocks=blocks)

    monkeypatch.setattr(onnx_model, "export_model", export_flipped)
    (tmp_path / "net").write_text("as it was")
    status, stdout, stderr = run(pictures, "--report", tmp_path / "report.json")
    assert (status, stdout) == (1, "")
    assert f"export: {pictures}/color.png: the exported density differs" in stderr
    assert "nothing was written" in stderr and len(stderr.splitlines()) == 1
    assert (tmp_path / "net").read_text() == "as it was"
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("args", "flags", "text"),
    [
        ([], {"weights": "nowhere"}, "no weights at nowhere"),
        ([], {"weights": "setup.cfg"}, "setup.cfg is not a safetensors file"),
        ([], {"out": "gone/net"}, "--out=gone/net: there is no folder gone"),
        ([], {"out": "tests"}, "--out=tests is a folder: name a file in it"),
        ([], {"weights": "setup.cfg", "out": "./setup.cfg"}, "./setup.cfg is an input"),
        (["docs/crowd.jpg", "--report", "docs/crowd.jpg"], {}, "crowd.jpg is an input"),
        (["--report", "gone/r"], {}, "--report=gone/r: there is no folder gone"),
        (["--report", "x"], {"out": "./x"}, "are both ./x: name two files"),
        (["--max-size", "63"], {}, "--max-size: expected at least 64, got 63"),
        (["x*y"], {}, "x*y matches no file"),
        (["setup.cfg"], {}, "setup.cfg is not a JPEG, PNG"),
    ],
)
def test_wrong_arguments_print_one_sentence(
    run, tmp_path, monkeypatch, args, flags, text
):
    monkeypatch.chdir(tiny_experiment.ROOT)
    (tmp_path / "net").write_text("as it was")
    status, stdout, stderr = run(*args, **flags)
    assert (status, stdout) == (1, "")
    assert stderr.startswith("export: ") and text in stderr
    assert len(stderr.splitlines()) == 1
    assert (tmp_path / "net").read_text() == "as it was"


def test_failed_write_keeps_the_existing_file(run, pictures, tmp_path):
    (tmp_path / "net").write_text("as it was")
    (tmp_path / "net").chmod(0o444)
    status, _, stderr = run(pictures)
    assert status == 1 and f"The file is read-only: '{tmp_path}/net'" in stderr
    assert (tmp_path / "net").read_text() == "as it was"


@pytest.mark.parametrize(
    ("format", "package"),
    [("onnx", "onnx"), ("onnx", "onnxruntime"), ("stablehlo", "flatbuffers")],
)
def test_missing_package_is_named(run, monkeypatch, format, package):
    monkeypatch.setitem(sys.modules, package, None)
    status, _, stderr = run(format=format)
    assert status == 1
    assert stderr == (
        f"export: --format={format} needs {package}: pip install 'cpcnn_jax[export]'\n"
    )


@pytest.mark.parametrize("args", [["--format", "tflite"], []])
def test_unknown_or_missing_format_exits_with_status_2(args, capsys):
    with pytest.raises(SystemExit) as exit_info:
        export.main([*args, "--weights", "w", "--out", "o"])
    assert exit_info.value.code == 2
    assert "onnx" in capsys.readouterr().err or not args


def test_command_exports_the_weights_of_the_workdir(workdir, pictures, tmp_path):
    args = ["--weights", workdir, "--format", "onnx", "--out", tmp_path / "net"]
    assert export.main([str(arg) for arg in (pictures / "gray.png", *args)]) == 0
    image = make_image(70, 80)
    density = onnx_model.make_runner((tmp_path / "net").read_bytes())(image[None])
    assert_close(density[0, ..., 0], cp.load(workdir).count(image).density)
