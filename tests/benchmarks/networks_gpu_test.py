"""networks_gpu.py on the CPU: its checks, counts and tables."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import compare_runs
import jax
import layers_gpu
import networks_cpu
import networks_gpu
import pytest
import torch
import torch_twins

pytestmark = pytest.mark.quick_compile

ROOT = Path(__file__).parents[2]
PLACES = [torch_twins.Place("cpu", dtype) for dtype in ("float32", "bfloat16")]
SMALL = "--device=cpu --rounds=2 --photograph=64x68 --crop=64x64 --batch=1 --side=64"


@pytest.fixture(scope="module")
def weights():
    return torch_twins.first_weights()


def contenders(weights, place, *, train, with_compiled=False):
    batch = torch_twins.arrays(1, 64, 64)
    options = dict(train=train, with_compiled=with_compiled)
    return networks_gpu.contenders(weights, batch, place, **options)


@pytest.mark.parametrize("place", PLACES)
def test_contenders_agree_and_a_changed_one_is_refused(weights, place):
    calls = contenders(weights, place, train=False)
    assert list(calls) == [
        torch_twins.REFERENCE,
        networks_gpu.OURS,
        networks_gpu.LITERAL,
    ]
    torch_twins.agree(calls, times=1, tolerance=torch_twins.tolerance(place))
    density = calls[networks_gpu.OURS]()
    assert density.dtype == "float32" and density.shape == (1, 64, 64, 1)
    calls[networks_gpu.OURS] = lambda: 1.1 * density
    with pytest.raises(SystemExit, match="cpcnn_jax differs .* nothing was timed"):
        networks_gpu.measured(calls, place, rounds=2)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_training_steps_agree_and_a_changed_one_is_refused(weights, place):
    calls = contenders(weights, place, train=True)
    torch_twins.agree(calls, times=4, tolerance=torch_twins.tolerance(place))
    call = calls[networks_gpu.OURS]
    with pytest.raises(SystemExit, match="cpcnn_jax differs"):
        networks_gpu.measured(
            {**calls, networks_gpu.OURS: lambda: 1.1 * call()}, place, rounds=2
        )


def test_both_frameworks_compute_in_bfloat16(weights):
    exact, rounded = (
        {
            name: torch_twins.on_host(call())
            for name, call in contenders(weights, place, train=False).items()
        }
        for place in PLACES
    )
    for name, value in rounded.items():
        error = abs(value - exact[name]).max() / abs(exact[name]).max()
        assert 1e-3 < error < torch_twins.tolerance(PLACES[1]), name


def test_tf32_is_allowed_in_every_convolution(weights):
    """On a CPU the setting changes no result."""
    backends, batch = torch.backends, torch_twins.arrays(1, 64, 64)
    allowed = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32
    benchmark = backends.cudnn.benchmark
    try:
        networks_gpu.allow_tf32()
        assert backends.cuda.matmul.allow_tf32 and backends.cudnn.allow_tf32
        lowered = jax.jit(torch_twins.jax_network("float32")).lower(weights, batch)
    finally:
        jax.config.update("jax_default_matmul_precision", None)
        backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = allowed
        backends.cudnn.benchmark = benchmark
    lines = lowered.as_text().splitlines()
    convolutions = [line for line in lines if "stablehlo.convolution" in line]
    assert len(convolutions) >= 21
    for line in convolutions:
        assert "precision HIGH>, #stablehlo<precision HIGH>" in line


@pytest.mark.parametrize(
    ("requested", "jax_backend", "torch_finds", "expected"),
    [
        (None, "cpu", False, "cpu"),
        (None, "gpu", True, "gpu"),
        ("cpu", "gpu", True, "cpu"),
        ("cpu", "gpu", False, "cpu"),
        (None, "cpu", True, "JAX finds no GPU"),
        (None, "gpu", False, "PyTorch finds no GPU"),
        ("gpu", "cpu", False, "JAX finds no GPU"),
    ],
)
def test_device_is_one_that_both_frameworks_find(
    monkeypatch, requested, jax_backend, torch_finds, expected
):
    monkeypatch.setattr(jax, "default_backend", lambda: jax_backend)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: torch_finds)
    if "finds" not in expected:
        assert networks_gpu.device_of(requested) == expected
        return
    with pytest.raises(SystemExit, match=f"{expected}; on the CPU: --device cpu"):
        networks_gpu.device_of(requested)


def test_compiler_that_fails_is_left_out(monkeypatch, capsys):
    def contenders(*args, train, with_compiled):
        if with_compiled:
            raise RuntimeError("no Python.h\nmore")
        return "calls"

    monkeypatch.setattr(networks_gpu, "contenders", contenders)
    monkeypatch.setattr(networks_gpu, "measured", lambda *args: args)
    flags = argparse.Namespace(compile=True, rounds=2)
    for _ in range(2):  # the second task does not try it again
        result = networks_gpu.compared({}, {}, PLACES[0], True, flags)
        assert result == ("calls", PLACES[0], 2) and not flags.compile
    text = "left out, because it fails: torch.compile: no Python.h\n"
    assert capsys.readouterr().err == text


# --- layers_gpu.py ---


@pytest.fixture(scope="module")
def layers(weights):
    return layers_gpu.layers(weights, torch_twins.arrays(2, 64, 68))


def test_layers_are_all_convolutions_of_the_networks(weights, layers):
    assert {f"{name}/kernel" for name in layers} == {
        name for name in weights if name.endswith("kernel")
    }
    batch = torch_twins.arrays(2, 64, 68)
    operations = networks_cpu.operations(weights, batch, train=False)
    assert sum(layer.operations for layer in layers.values()) == operations


def test_roofline_by_hand(layers):
    layer = layers["fcnn/t1"]  # 4x4, 32 to 32 features, 16x17 to 32x34
    assert layer.operations == 2 * (2 * 16 * 17) * 16 * 32 * 32
    assert layer.elements == 2 * 16 * 17 * 32 + 16 * 32 * 32 + 2 * 32 * 34 * 32
    slow = layers_gpu.Speed(peaks=[1e6, 9.0], bandwidths=[0.25, 0.5])
    for place, size in zip(PLACES, (4, 2), strict=True):
        intensity = layer.operations / (size * layer.elements)
        assert layers_gpu.roofline(layer, place, slow) == 0.5 * intensity
    quick = layers_gpu.Speed(peaks=[7.0, 9.0], bandwidths=[1e6, 1e6])
    assert layers_gpu.roofline(layer, PLACES[0], quick) == 9.0


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["dme/column1_conv1", "fcnn/t2", "fcnn/conv4"])
def test_contenders_of_a_layer_agree(layers, place, name):
    calls = layers_gpu.contenders(name, layers[name], place)
    lowerings = {"cpcnn_jax, zero_insertion", "cpcnn_jax, subpixel"}
    assert lowerings <= calls.keys() if "/t" in name else len(calls) == 2
    torch_twins.agree(calls, times=1, tolerance=torch_twins.tolerance(place))
    for value in (call() for call in calls.values()):
        assert place.dtype in str(value.dtype)


def test_rates_of_a_layer_are_those_of_one_repeat():
    times = [layers_gpu.REPEATS * t for t in (0.5, 1.0, 2.0)]
    seconds = {torch_twins.REFERENCE: times, networks_gpu.OURS: times}
    rows = layers_gpu.rates(seconds, operations=4e12, limit=8e3)
    row = rows[networks_gpu.OURS]
    assert (row["seconds"], row["gflops"], row["share"]) == (1.0, 4e3, 0.5)
    layer = {"operations": 4e12, "roofline": 8e3, "contenders": rows}
    text = layers_gpu.markdown({"conv": layer, "t1": layer})
    cell = "1e+03 ms, 4 TFLOP/s, 0.50"
    assert f"| conv | 4e+03 | 8 | {cell} | {cell} |" in text
    assert text.endswith("| sum |  |  | 2e+03 ms | 2e+03 ms |")


# --- the command ---


def compared(file):
    """Tasks of our rows that compare_runs.py reads."""
    return {name.rpartition(": ")[0] for name in compare_runs.read(file)}


def test_compare_runs_reads_the_written_table(monkeypatch, tmp_path, capsys, layers):
    tasks, all_layers = networks_gpu.tasks, layers_gpu.layers
    monkeypatch.setattr(networks_gpu, "tasks", lambda flags: tasks(flags)[1:2])
    monkeypatch.setattr(
        layers_gpu, "layers", lambda *args: dict(list(all_layers(*args).items())[-3:])
    )
    forms = networks_gpu.forms_gpu.forms(64, 64)
    monkeypatch.setattr(
        networks_gpu.forms_gpu, "forms", lambda *args: dict(list(forms.items())[2:3])
    )
    file = tmp_path / "bench.json"
    flags = [*SMALL.split(), "--no-compile", f"--json={file}"]
    monkeypatch.setattr(sys, "argv", ["networks_gpu.py", *flags])
    networks_gpu.main()
    title = "gpu: 1 of 64 x 64, forward"
    assert compared(file) == {f"{title}, {dtype}" for dtype in networks_gpu.DTYPES}
    out = capsys.readouterr().out
    assert "bfloat16: matrix product" in out and "| fcnn/conv4 |" in out
    assert "| cpcnn_jax / cpcnn_jax, zero_insertion |" in out
    assert "torch.compile" not in out and "| max_pool, 16 |" in out
    assert file.with_suffix(".md").read_text() in out


@pytest.mark.nightly
def test_the_command_with_torch_compile(tmp_path):
    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    file = tmp_path / "bench.json"
    program = ROOT / "benchmarks/networks_gpu.py"
    done = subprocess.run(
        [
            sys.executable,
            program,
            *SMALL.split(),
            "--tables=networks",
            f"--json={file}",
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    titles = ["64 x 68, forward", "1 of 64 x 64, forward"]
    titles.append("1 of 64 x 64, training step")
    assert compared(file) == {
        f"gpu: {title}, {dtype}" for title in titles for dtype in networks_gpu.DTYPES
    }
    assert "| torch.compile |" in done.stdout
    assert "| cpcnn_jax / torch.compile |" in done.stdout
