"""Explanations compared with PyTorch and the guide; output formats and flags."""

import doctest
import itertools
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from cpcnn_jax.cli.explain import main
from cpcnn_jax.explain import (
    captions,
    code_samples,
    drawing,
    explain,
    panel,
    shapes,
    svg,
    text,
)
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.layers.arithmetic import Layer

ROOT = Path(__file__).parents[2]

# (frames, i, o) of the GIFs in vdumoulin/conv_arithmetic (commit af6f818), with the
# sizes of bin/generate_makefile.
SHIPPED = {
    "no_padding_no_strides": (4, 4, 2),
    "arbitrary_padding_no_strides": (36, 5, 6),
    "same_padding_no_strides": (25, 5, 5),
    "full_padding_no_strides": (49, 5, 7),
    "no_padding_strides": (4, 5, 2),
    "padding_strides": (9, 5, 3),
    "padding_strides_odd": (9, 6, 3),
    "no_padding_no_strides_transposed": (16, 2, 4),
    "arbitrary_padding_no_strides_transposed": (25, 6, 5),
    "same_padding_no_strides_transposed": (25, 5, 5),
    "full_padding_no_strides_transposed": (25, 7, 5),
    "no_padding_strides_transposed": (25, 2, 5),
    "padding_strides_transposed": (25, 3, 5),
    "padding_strides_odd_transposed": (36, 3, 6),
    "dilation": (9, 7, 3),
}

# (s, p, a, d) of rows and of columns, kernel size, input size.
CASES = [
    ((2, 1, 0, 1), (2, 1, 0, 1), (3, 3), (3, 3)),
    ((2, 1, 1, 1), (2, 1, 1, 1), (3, 3), (3, 3)),
    ((2, 1, 0, 1), (2, 1, 0, 1), (4, 4), (2, 3)),
    ((3, 0, 2, 1), (1, 2, 0, 2), (2, 3), (2, 4)),
    ((1, 1, 0, 1), (2, 3, 1, 1), (3, 3), (4, 3)),  # crops: p > k - 1
    ((2, 2, 1, 3), (4, 0, 0, 1), (3, 2), (3, 2)),
    ((3, 2, 1, 2), (2, 1, 0, 1), (1, 4), (3, 4)),  # k < s: rows without input values
]


def make(case):
    """An explanation with random whole numbers."""
    rows, columns, kernel, size = case
    random = np.random.default_rng(sum(kernel) + sum(size))
    layers = tuple(
        Layer(k, *axis, transposed=True)
        for k, axis in zip(kernel, (rows, columns), strict=True)
    )
    return explain(random.integers(-5, 6, size), random.integers(-5, 6, kernel), layers)


@pytest.mark.parametrize("case", CASES)
def test_three_forms_equal_pytorch(case):
    torch = pytest.importorskip("torch")
    e = make(case)
    rows, columns = e.layers
    expected = torch.nn.functional.conv_transpose2d(
        torch.tensor(e.x)[None, None],
        torch.tensor(e.kernel[::-1, ::-1].copy())[None, None],
        stride=(rows.s, columns.s),
        padding=(rows.p, columns.p),
        output_padding=(rows.a, columns.a),
        dilation=(rows.d, columns.d),
    )
    np.testing.assert_array_equal(e.output, expected[0, 0])
    np.testing.assert_array_equal(e.scattered, e.output)
    np.testing.assert_array_equal(e.multiplied, e.output)
    assert captions.max_difference(e) == 0


@pytest.mark.parametrize("case", CASES)
def test_windows_and_sums_equal_the_output(case):
    e = make(case)
    for row, column in np.ndindex(e.output.shape):
        window = np.array([e.grid[cell] for cell in e.window(row, column)])
        assert window @ e.kernel.ravel() == e.output[row, column]
        terms = sum(e.x[i] * e.kernel[t] for t, i in e.terms(row, column))
        assert terms == e.output[row, column]
        line = captions.format_sum(e, row, column)
        sum_, value = re.fullmatch(r"y\[\d+,\d+\] = (.*?)(?: = (.*))?", line).groups()
        assert eval(sum_) == float(value or sum_) == e.output[row, column]


@pytest.mark.parametrize("case", CASES)
def test_response_equals_the_inner_output_for_ones(case):
    e = make(case)
    s, t = e.response.shape
    inner = explain(np.ones((14, 14)), e.kernel, e.layers).output
    # One period around the center.
    start = [(n // 2) // m * m for n, m in zip(inner.shape, (s, t), strict=True)]
    np.testing.assert_array_equal(
        inner[start[0] : start[0] + s, start[1] : start[1] + t], e.response
    )


def test_bilinear_kernel_has_no_checkerboard():
    line = np.array([0.25, 0.75, 0.75, 0.25])
    layer = Layer(4, 2, 1, transposed=True)
    smooth = explain(np.ones((3, 3)), np.outer(line, line), (layer, layer))
    assert smooth.checkerboard == 1
    rough = explain(np.ones((3, 3)), np.ones((3, 3)), (layer._replace(k=3),) * 2)
    assert rough.checkerboard == 4  # one tap against four
    holes = explain(np.ones((3, 3)), np.ones((1, 1)), (layer._replace(k=1, p=0),) * 2)
    assert holes.checkerboard == float("inf")


def test_transposed_is_not_the_inverse():
    e = make(CASES[0])
    c = e.matrix.T
    np.testing.assert_allclose(e.returned.ravel(), c.T @ c @ e.original.ravel())
    assert "no layer can restore all of them" in captions.describe_deconvolution(e)
    layer = Layer(1, 1, 0, transposed=True)
    assert "is an exception" in captions.describe_deconvolution(
        explain(np.ones((2, 2)), np.ones((1, 1)), (layer, layer))
    )


def test_roles_of_inserted_zeros_and_padding():
    e = explain(
        np.zeros((2, 2)), np.ones((3, 3)), (Layer(3, 2, 1, 1, transposed=True),) * 2
    )
    assert e.roles.tolist() == [
        [2, 2, 2, 2, 2, 2],
        [2, 0, 1, 0, 2, 2],
        [2, 1, 1, 1, 2, 2],
        [2, 0, 1, 0, 2, 2],
        [2, 2, 2, 2, 2, 2],
        [2, 2, 2, 2, 2, 2],
    ]


def test_every_formula_evaluates_to_its_result():
    for i, k, s, p, a, d, transposed in itertools.product(
        (3, 5), (1, 2, 3), (1, 2), (0, 1, 2, (0, 1)), (0, 1), (1, 2), (True, False)
    ):
        layer = Layer(k, s, p, a if transposed else 0, d, transposed)
        try:
            line = captions.format_formula(layer, i)
        except ValueError:
            continue
        steps = line.removeprefix("o = ").split(", relationship")[0].split(" = ")
        numbers = re.sub(r"([\d)])\(", r"\1*(", steps[-2] if len(steps) > 1 else "")
        numbers = re.sub(r"floor\*?\((.*)\) \+ 1", r"math.floor(\1) + 1", numbers)
        value = eval(numbers, {"math": math}) if len(steps) > 2 else None
        assert value in (None, int(steps[-1])), line


# --- the guide's animations ---


def test_animations_have_the_names_and_sizes_of_the_guide():
    assert set(ANIMATIONS) == set(SHIPPED)
    for name, (frames, i, o) in SHIPPED.items():
        e = animation(name)
        assert (e.x.shape, e.output.shape) == ((i, i), (o, o))
        assert frames == o * o


def animation(name):
    i, layer = ANIMATIONS[name]
    kernel = np.arange(1.0, 1 + layer.k**2).reshape(layer.k, layer.k)
    return explain(np.arange(1.0, 1 + i * i).reshape(i, i), kernel, (layer, layer))


@pytest.mark.parametrize("name", SHIPPED)
def test_animation_frames_show_the_output(name):
    torch = pytest.importorskip("torch")
    e = animation(name)
    z, f = e.layers[0], torch.nn.functional
    x, flipped = (
        torch.tensor(e.x)[None, None],
        torch.tensor(e.kernel[::-1, ::-1].copy()),
    )
    expected = (
        f.conv_transpose2d(x, flipped[None, None], None, z.s, z.p, z.a)
        if z.transposed
        else f.conv2d(x, torch.tensor(e.kernel)[None, None], None, z.s, z.p, z.d)
    )[0, 0].numpy()
    frames = drawing.draw_frames(e)
    assert len(frames) == SHIPPED[name][0]
    for frame, value in zip(frames, expected.ravel(), strict=True):
        assert frame.title.endswith(f" {value:.0f}")
        bright = next(
            n
            for n, shape in enumerate(frame.shapes)
            if isinstance(shape, shapes.Polygon) and shape.fill == shapes.BRIGHT
        )
        assert frame.shapes[bright + 1].text == f"{value:.0f}"


@pytest.mark.parametrize("name", SHIPPED)
def test_gif_has_a_frame_per_step(name, tmp_path):
    path = tmp_path / "a.gif"
    assert main(["--animation", name, "--out", str(path)]) == 0
    with Image.open(path) as gif:
        assert gif.n_frames == SHIPPED[name][0]
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 1000


def test_drawing_marks_the_cells():
    e = animation("padding_strides_odd_transposed")
    drawn = drawing.draw_frame(e, 0, 0)
    edge = drawn.width - panel.measure_panel(e)[0] - drawing.MARGIN  # of the panel
    planes = [s for s in drawn.shapes if isinstance(s, shapes.Polygon)]
    planes = [s for s in planes if all(x < edge for x, _ in s.points)]
    assert sum(s.dashed for s in planes) == 64 - 25  # padding
    hatched = [s for s in planes if s.stroke == shapes.FAINT and not s.dashed]
    assert len(hatched) == 25 - 9  # inserted zeros, four lines in each
    assert sum(s.fill == shapes.BLUE for s in planes) == 9
    assert sum(s.fill == shapes.WINDOW for s in planes) == 9
    assert sum(s.fill in (shapes.CYAN, shapes.BRIGHT) for s in planes) == 36
    lines = [s for s in drawn.shapes if isinstance(s, shapes.Line) and s.end[0] < edge]
    assert sum(s.stroke == shapes.FAINT for s in lines) == 4 * 16
    assert sum(s.stroke == shapes.INK for s in lines) == 4  # from kernel to output


@pytest.mark.parametrize("name", SHIPPED)
def test_picture_carries_the_words_and_the_numbers(name):
    """Each picture stands alone: names of all parts, the kernel, the parameters."""
    e = animation(name)
    z = e.layers[0]
    drawn = drawing.draw_frame(e, *drawing.find_typical_step(e))
    words = [s.text for s in drawn.shapes if isinstance(s, shapes.Text)]
    assert {"input", "kernel on the grid", "output"} <= set(words)
    assert ("inserted zero" in words) == (z.transposed and z.s > 1)
    assert ("padding" in words) == (
        z.pads != ((0, 0) if not z.transposed else (z.k - 1,) * 2)
    )
    panel_words = words[words.index("kernel (shaded: on an input)") + 1 :]
    assert panel_words[: z.k**2] == [str(n) for n in range(1, z.k**2 + 1)]
    numbers = "   ".join(panel_words[z.k**2 : -1])
    a = f"   a = {z.a}" if z.transposed else ""
    size = f"i = {e.x.shape[0]}   k = {z.k}   s = {z.s}"
    assert numbers == f"{size}   p = {z.p}{a}   d = {z.d}"


@pytest.mark.parametrize("name", ["padding_strides_transposed", "dilation"])
def test_default_png_is_readable_at_the_width_of_a_page(name, tmp_path):
    """At 700 pixels, the smallest letters are at least 8 pixels high."""
    main(["--animation", name, "--format", "png", "--out", str(tmp_path / "a.png")])
    with Image.open(tmp_path / "a.png") as image:
        assert image.width >= 1000
        e = animation(name)
        drawn = drawing.draw_frame(e, *drawing.find_typical_step(e))
        sizes = [s.size for s in drawn.shapes if isinstance(s, shapes.Text)]
        assert min(sizes) * 700 / drawn.width >= 8


def lightness(color):
    """CIE L* of #rrggbb."""
    srgb = np.array([*bytes.fromhex(color[1:])]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_kinds_of_cells_differ_in_gray():
    """Fills differ in lightness; the two white kinds differ by hatching and dashes."""
    fills = [shapes.BRIGHT, shapes.BLUE, shapes.CYAN, shapes.PAPER]
    steps = np.diff([lightness(fill) for fill in fills])
    assert steps.min() >= 10
    plane = shapes.Plane((0, 0), (40, 0), (0, 40))
    inserted, padding = [*plane.draw_inserted(0, 0)], plane.draw_padding(0, 0)
    assert sum(isinstance(s, shapes.Line) for s in inserted) == 4
    assert inserted[-1].text == "0" and not inserted[0].dashed and padding.dashed
    ink, blue = sorted([lightness(shapes.INK), lightness(shapes.BLUE)])
    assert blue - ink >= 40  # numbers on the input


@pytest.mark.parametrize("case", CASES)
def test_drawings_stay_on_the_page(case):
    for frame in drawing.draw_frames(make(case)):
        for shape in frame.shapes:
            points = getattr(shape, "points", None) or (
                (shape.at,) if hasattr(shape, "at") else (shape.start, shape.end)
            )
            assert all(0 <= x <= frame.width for x, _ in points)
            assert all(0 <= y <= frame.height for _, y in points)


# --- formats ---


def test_svg_is_well_formed_and_labeled():
    e = animation("padding_strides_odd_transposed")
    still = ElementTree.fromstring(svg.render_sheet([drawing.draw_frame(e, 1, 1)], 1))
    assert still.tag == "{http://www.w3.org/2000/svg}svg"
    assert still.get("aria-label") == "y[1,1] = 1*1 + 2*3 + 4*7 + 5*9 = 80"
    sheet = ElementTree.fromstring(svg.render_sheet(drawing.draw_frames(e), 6))
    titles = sheet.findall(".//{http://www.w3.org/2000/svg}title")
    assert len(titles) == 36


def test_text_equals_the_golden_file(capsys):
    arguments = "--input 3x3 --kernel 3 --stride 2 --padding 1 --format text".split()
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    golden = (
        Path(__file__).parents[1] / "golden" / "explain_3x3_k3_s2_p1.txt"
    ).read_text()
    assert shown == golden


def test_text_is_ascii_and_complete():
    shown = text.render_text(make(CASES[3]))
    assert shown.isascii()
    for title in (
        "The grid",
        "Every output",
        "three ways",
        "Phases",
        "Multiplications",
    ):
        assert title in shown


def test_png_shows_one_step_or_all(tmp_path):
    one, all_ = tmp_path / "one.png", tmp_path / "all.png"
    main(["--frame", "3", "--out", str(one)])
    main(["--frame", "all", "--out", str(all_)])
    with Image.open(one) as a, Image.open(all_) as b:
        # One step has two pixels per unit.
        assert (2 * b.width, 2 * b.height) == (5 * a.width, 5 * a.height)
    main(["--out", str(all_)])  # the default is one step with many products
    main(["--frame", "6", "--out", str(one)])
    assert one.read_bytes() == all_.read_bytes()


def test_page_has_no_outside_references(tmp_path, capsys):
    path = tmp_path / "page.html"
    assert main(["--format", "html", "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    page = path.read_text("utf-8")
    assert "<!-- page.js -->" not in page and "<!-- given -->" not in page
    outside = re.findall(
        r"""(?:src|href)\s*=\s*["'](?!data:|#)|@import|url\(|fetch\(""", page
    )
    assert outside == []


# --- equivalent calls ---


def run_sample(source, e):
    """The namespace after running a code sample with x and w."""
    names = {
        "x": e.x[None, :, :, None].astype(np.float32),
        "w": e.kernel[:, :, None, None].astype(np.float32),
    }
    exec(source, names)
    return names


@pytest.mark.parametrize(
    "case", [*CASES, ((2, (0, 1), 0, 1), (2, (2, 0), 1, 1), (3, 4), (3, 3))]
)
@pytest.mark.parametrize("library", ["cpcnn_jax", "jax.lax", "flax.linen", "torch"])
def test_code_samples_agree(library, case):
    if library == "torch":
        pytest.importorskip("torch")
    e = make(case)
    y = np.asarray(run_sample(code_samples.format_calls(e)[library], e)["y"])
    np.testing.assert_array_equal(np.squeeze(y), np.squeeze(e.output))


@pytest.mark.parametrize("case", CASES[:4])
def test_onnx_code_sample_agrees(case):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    e = make(case)
    names = run_sample(code_samples.format_calls(e)["onnx"], e)
    tensors = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, None)
        for n in ("X", "W", "Y")
    ]
    graph = helper.make_graph([names["node"]], "g", tensors[:2], tensors[2:])
    session = ReferenceEvaluator(
        helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    )
    (y,) = session.run(
        None, {"X": names["x"].transpose(0, 3, 1, 2), "W": names["weight"]}
    )
    np.testing.assert_array_equal(y[0, 0], e.output)


@pytest.mark.parametrize("case", CASES)
def test_keras_code_sample_agrees(case, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("keras", reason="keras is not installed")
    e = make(case)
    y = np.asarray(run_sample(code_samples.format_calls(e)["keras"], e)["y"])
    np.testing.assert_array_equal(y[0, :, :, 0], e.output)


# --- trained layers ---


@pytest.fixture
def checkpoint(tmp_path):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 4, 3, 2)).astype(np.float32)
    weights = {"fcnn/t1/kernel": kernel, "fcnn/t1/bias": np.zeros(2, np.float32)}
    save_file(weights, tmp_path / "weights.safetensors")
    return tmp_path, kernel


@pytest.mark.parametrize("as_workdir", [True, False])
def test_trained_kernel_and_image(checkpoint, as_workdir, tmp_path, capsys):
    workdir, kernel = checkpoint
    image = tmp_path / "image.png"
    Image.fromarray(np.uint8([[0, 255], [255, 0]]).repeat(8, 0).repeat(12, 1)).save(
        image
    )
    path = workdir if as_workdir else workdir / "weights.safetensors"
    main(
        ["--weights", str(path), "--layer", "fcnn/t1", "--channels", "2x1"]
        + ["--image", str(image), "--input", "2x3"]
    )
    shown = capsys.readouterr().out
    assert "2x3 in, 4x6 out" in shown
    for value in kernel[:, :, 2, 1].ravel():
        assert captions.format_number(value) in shown
    grid = shown.split("The kernel")[0]
    assert "0.5" in grid and "1" in grid


def test_trained_kernel_is_the_mean_over_channels(checkpoint, capsys):
    workdir, kernel = checkpoint
    main(["--weights", str(workdir), "--layer", "fcnn/t1"])
    assert (
        captions.format_number(kernel.mean((2, 3), dtype=float)[0, 0])
        in capsys.readouterr().out
    )


def test_real_image(capsys):
    root = Path(os.environ.get("CPCNN_DATA", ROOT.parent / "shared" / "data"))
    image = next(root.glob("**/*.jpg"), None)
    if image is None:
        pytest.skip(f"no images in {root}; set CPCNN_DATA")
    assert main(["--image", str(image), "--input", "4x6"]) == 0
    assert "4x6 in, 7x11 out" in capsys.readouterr().out


# --- the command line ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--input 3y", "argument --input: got '3y', expected a number as 3, or rows"),
        ("--padding -1", "argument --padding: got '-1', expected a number as 1, rows"),
        ("--padding 1:2:3", "argument --padding: got '1:2:3', expected a number as 1"),
        ("--input 0", "got the size 0x0, expected at least 1x1"),
        ("--stride 0", "got s = 0, expected at least 1"),
        ("--output_padding 2", "got output padding a = 2, expected 0 <= a < max(s, d)"),
        ("--padding 9", "that leaves an output of size -11, expected at least 1"),
        ("--input 60", "got an output of 119x119 cells, expected at most 4096"),
        ("--animation nope", "--animation: got 'nope', expected one of no_padding_no"),
        ("--layer fcnn/t1", "--layer and --channels need --weights"),
        ("--weights nowhere", "no weights at nowhere"),
        ("--weights {w} --layer x", "expected one of the layers in"),
        ("--weights {w} --layer fcnn/t1 --channels 3x0", "expected less than 3x2"),
        (
            "--weights {w} --layer fcnn/t1 --kernel 3",
            "--kernel cannot be combined with --weights",
        ),
        (
            "--weights {w} --layer fcnn/t1 --out {w}/weights.safetensors",
            "weights.safetensors is an input: write the results elsewhere",
        ),
        ("--image nowhere.jpg", "No such file or directory: 'nowhere.jpg'"),
        (
            "--format svg --frame 25 --out {w}/a.svg",
            "--frame: got 25, expected 0 to 24",
        ),
        ("--input 6 --out {w}/a.gif", "got an output of 11x11, one image for each"),
        ("--input 20 --format html", "got an output of 39x39 cells, expected at most"),
        ("--dimensions 3", "argument --dimensions: invalid choice: 3"),
        (
            "--dimensions 1 --weights {w} --layer fcnn/t1",
            "--dimensions 1 cannot be combined with --weights or --image",
        ),
        ("--frame x", "argument --frame: got 'x', expected a number or all"),
        ("--format tex", "argument --format: invalid choice: 'tex'"),
        ("--nope", "unrecognized arguments: --nope"),
    ],
)
def test_invalid_flags_exit_with_status_2(arguments, message, checkpoint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments.format(w=checkpoint[0]).split())
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("explain: ") and error.count("\n") == 1


def test_one_dimension(tmp_path, capsys):
    """1, 2, 3, 4 with zeros between, under the kernel 1, 2, 3."""
    words = "--dimensions 1 --input 4 --kernel 3 --stride 2 --padding 1".split()
    assert main(words) == 0
    shown = capsys.readouterr().out
    joined = " ".join(shown.split())
    assert "inserts 1 zero between neighboring units (4 becomes 7)" in joined
    assert "pads the result by 1 on both sides" in joined
    assert "o = s(i - 1) + k - 2p = 2(4 - 1) + 3 - 2*1 = 7, relationship 13" in joined
    assert "y[1] = 1*1 + 2*3 = 7" in joined and "rows: o" not in joined
    main([*words, "--format", "svg", "--out", str(tmp_path / "a.svg")])
    drawn = ElementTree.parse(tmp_path / "a.svg").getroot()
    words = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {
        "x 1",
        "x 2",
        "x 3",
        "inserted zero",
        "padding",
        "i = 4   k = 3   s = 2",
    } <= {*words}


def test_help_names_animations_and_the_guide(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "padding_strides_odd_transposed" in shown
    assert "Dumoulin" in shown and "1603.07285" in shown


def test_command_runs_as_a_module():
    flags = "--input 1x4 --kernel 1x3 --stride 1x2 --padding 0x1"
    done = subprocess.run(
        [sys.executable, "-m", "cpcnn_jax", "explain", *flags.split()],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "4 in, 7 out" in " ".join(done.stdout.split())


def test_examples_run():
    from cpcnn_jax.explain import explanation

    for module in (explanation, captions):
        assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("kind", ["svg", "png", "gif", "html", "text"])
def test_failed_output_leaves_the_previous_file(tmp_path, monkeypatch, kind):
    """And a link stays a link."""
    path, link = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    path.write_text("old")
    link.symlink_to(path)
    flags = ["--input=3x3", "--kernel=3", "--stride=2", f"--format={kind}"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", _interrupt)
        main([*flags, f"--out={link}"])
    assert path.read_text() == "old"
    assert main([*flags, f"--out={link}"]) == 0
    assert link.is_symlink() and len(path.read_bytes()) > 100
    assert sorted(tmp_path.iterdir()) == [path, link]


def _interrupt(*_):
    raise KeyboardInterrupt
