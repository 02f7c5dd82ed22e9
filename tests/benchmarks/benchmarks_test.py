"""Benchmarks: their contenders agree, and their tables hold the measured numbers."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timing
import tiny_experiment
import torch
import torch_twins
from benchmark_modules import module

from cpcnn_jax import config
from cpcnn_jax.inference import counter
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.weights import serialization

pytestmark = pytest.mark.quick_compile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    return module("density_map")


@pytest.fixture(scope="module")
def network():
    return module("networks_cpu")


def test_contenders_draw_the_same_map(benchmark, monkeypatch):
    benchmark.agree()
    recipe = benchmark.recipe_map
    monkeypatch.setattr(benchmark, "recipe_map", lambda *args: 1.01 * recipe(*args))
    with pytest.raises(SystemExit, match="the two maps differ"):
        benchmark.agree()


def test_table_shows_how_much_faster_than_the_recipe(benchmark):
    times = {"exact": [1.0, 2.0, 4.0], "recipe": [100.0, 100.0, 100.0]}
    text = benchmark.markdown(timing.ratios(times, "recipe"), sample=7)
    assert "| exact | 2.000 | 50 (25-100) |" in text
    assert "(7 of them timed, scaled) | 100.000 | 1 |" in text


def test_crowd_is_inside_the_image(benchmark):
    points = benchmark.crowd()
    assert points.shape == (12_000, 2) and points.min() >= 0
    assert (points.max(axis=0) < (1024, 768)).all() and np.isfinite(points).all()


def test_contenders_take_turns():
    turns = []
    calls = {name: lambda name=name: turns.append(name) for name in "ab"}
    seconds = timing.interleaved(calls, rounds=2)
    assert turns == ["a", "b", "a", "b"]
    assert seconds.keys() == calls.keys() and len(seconds["a"]) == 2


def test_json_file_holds_the_tables_of_all_benchmarks(tmp_path):
    for rows in (1, 2):
        timing.write(tmp_path / "bench.json", "density", {"rows": rows})
        timing.write(tmp_path / "bench.json", "network", {"rows": 3})
    tables = json.loads((tmp_path / "bench.json").read_text())
    assert tables == {"density": {"rows": 2}, "network": {"rows": 3}}


@pytest.mark.long
@pytest.mark.parametrize("train", [False, True])
def test_jax_and_torch_networks_agree(network, train):
    batch = torch_twins.arrays(8 if train else 1, 64, 68)
    calls = network.contenders(
        torch_twins.first_weights(), batch, train=train, with_compiled=False
    )
    torch_twins.agree(calls, times=3)
    call = calls["cpcnn_jax"]
    with pytest.raises(SystemExit, match="cpcnn_jax differs .* nothing was timed"):
        torch_twins.agree({**calls, "cpcnn_jax": lambda: 1.01 * call()}, times=1)


@pytest.mark.long
def test_shared_backbones_agree(network):
    image = np.random.default_rng(0).random((64, 70, 3), np.float32)
    calls = network.shared_contenders(image, with_compiled=False)
    assert set(calls) == {torch_twins.REFERENCE, "torch contiguous", "cpcnn_jax"}
    torch_twins.agree(calls, times=1)


def test_contender_of_one_task_has_empty_cells(network):
    row = dict(median=0.5, low=0.25, high=0.5, seconds=1.0)
    columns = {"a": {"x": row | {"gflops": 3.0}}, "b": {"y": row}}
    table = network.markdown(columns).splitlines()
    assert table[2:] == [
        "| x | 0.50 (0.25-0.50), 1.00 s, 3 GFLOP/s |  |",
        "| y |  | 0.50 (0.25-0.50), 1.00 s |",
    ]


def test_flops_equal_those_counted_by_hand(network):
    batch, weights = torch_twins.arrays(1, 64, 64), torch_twins.first_weights()
    counted = network.operations(weights, batch, train=False)
    # Output units x taps x input features x output features.
    pixels, halves, quarters = 64 * 64, 32 * 32, 16 * 16
    columns = [
        pixels * 81 * 3 * 16 + halves * 49 * 16 * 32,
        quarters * 49 * (32 * 32 + 32 * 16 + 16 * 8),
        pixels * 49 * 3 * 20 + halves * 25 * 20 * 40,
        quarters * 25 * (40 * 40 + 40 * 20 + 20 * 10),
        pixels * 25 * 3 * 24 + halves * 9 * 24 * 48,
        quarters * 9 * (48 * 48 + 48 * 24 + 24 * 12),
    ]
    fusion = [
        quarters * (81 * 40 * 64 + 49 * 64 * 32 + 16 * 32 * 32),  # T: input units
        halves * (25 * 32 * 16 + 16 * 16 * 16),
        pixels * 16,
    ]
    assert counted == 2 * sum(columns + fusion)


def test_rates_are_ratios_of_the_same_round(network):
    times = {torch_twins.REFERENCE: [1.0, 2.0, 4.0], "cpcnn_jax": [0.5, 1.0, 1.0]}
    rows = network.rates(times, operations=3e9)
    expected = dict(median=0.5, low=0.25, high=0.5, seconds=1.0, gflops=3.0)
    assert rows["cpcnn_jax"] == expected
    line = "| cpcnn_jax | 0.50 (0.25-0.50), 1.00 s, 3 GFLOP/s |"
    assert line in network.markdown({"task": rows})


def test_losses_are_compared_one_by_one(network):
    """A large loss hides no error of a small one, and NaN differs."""
    for other in ([0.005, 1.0], [np.nan, 1.0]):
        values = [0.01, 1.0], other
        names = torch_twins.REFERENCE, "other"
        calls = {
            name: lambda value=value: np.array(value)
            for name, value in zip(names, values, strict=True)
        }
        with pytest.raises(SystemExit, match="other differs"):
            torch_twins.agree(calls, times=1)


# --- adversarial_step.py ---


@pytest.fixture(scope="module")
def adversary():
    return module("adversarial_step")


@pytest.fixture(scope="module")
def gan_weights(adversary):
    """Weights of DME and F-CNN and of a narrow discriminator."""
    judge = adversary.judge_weights(0.25)
    return adversary.Weights(torch_twins.first_weights(), judge)


def test_jax_and_torch_discriminators_agree(adversary):
    judge = adversary.judge_weights(0.125)
    random = np.random.default_rng(0)
    judge = {name: random.normal(0, 0.2, x.shape) for name, x in judge.items()}
    judge = {name: value.astype(np.float32) for name, value in judge.items()}
    density = random.normal(size=(2, 64, 68, 1)).astype(np.float32)
    variables = to_variables(judge)
    expected = Discriminator(0.125).apply(variables, density)
    _, twin = adversary.judge_twin(judge, torch.channels_last)
    with torch.no_grad():
        logits = twin(torch.tensor(density).permute(0, 3, 1, 2))
    logits = logits.permute(0, 2, 3, 1).numpy()
    assert logits.shape == expected.shape == (2, 8, 8, 1)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_jax_and_torch_adversarial_steps_agree(adversary, gan_weights):
    calls = adversary.contenders(gan_weights, adversary.arrays(8, 64, 68))
    torch_twins.agree(calls, times=3)


@pytest.mark.parametrize(
    "change, times",
    [
        # The first adversarial loss is that of the updated discriminator.
        (dict(discriminator_learning_rate=0.0), 1),
        (dict(discriminator_beta1=0.9), 3),
        (dict(learning_rate=0.0), 3),
        (dict(weight=6e-3), 1),
    ],
)
def test_step_with_other_settings_is_refused(adversary, gan_weights, change, times):
    arguments = gan_weights, adversary.arrays(2, 64, 64), torch.contiguous_format
    settings = dataclasses.replace(adversary.SETTINGS, **change)
    calls = {
        torch_twins.REFERENCE: adversary.torch_step(*arguments),
        "other": adversary.torch_step(*arguments, settings),
    }
    with pytest.raises(SystemExit, match="other differs"):
        torch_twins.agree(calls, times=times)


# --- context_networks.py ---


@pytest.fixture(scope="module")
def context():
    return module("context_networks")


def test_parts_return_the_counter_s_results(context):
    model, weights = tiny_experiment.networks()
    pixels = np.random.default_rng(0).integers(0, 256, (128, 160, 3), np.uint8)
    result = counter.Counter(model, weights, blocks=4).count(pixels)
    calls = context.parts(model, weights, pixels, result)
    context.agree(calls, result)
    call = calls[context.MAP]
    with pytest.raises(SystemExit, match="DME . F-CNN differs .* nothing was timed"):
        context.agree({**calls, context.MAP: lambda: 1.01 * call()}, result)


def test_flops_of_the_parts(context, network):
    model = cpcnn.build(config.Model())
    one, two = (context.operations(model, shape) for shape in ((64, 64), (64, 128)))
    batch, weights = torch_twins.arrays(1, 64, 64), torch_twins.first_weights()
    assert one[context.MAP] == network.operations(weights, batch, train=False)
    assert two[context.MAP] == 2 * one[context.MAP]
    assert two[context.LOCAL] == 2 * one[context.LOCAL]  # twice the windows
    assert two[context.GLOBAL] == one[context.GLOBAL]  # 16 blocks of any size


def test_compare_runs_reads_the_row_with_local_context(context, tmp_path):
    names = context.LOCAL, context.GLOBAL, context.MAP
    times = dict(zip(names, ([1.0, 1.0, 1.0], [9.0] * 3, [2.0, 1.0, 2.0]), strict=True))
    work = dict.fromkeys(names, 3e9)
    table = context.ratios(times, work)
    row = dict(median=1.5, low=1.5, high=2.0, seconds=3.0, operations=2.0, gflops=2.0)
    assert table[context.BOTH] == row
    line = f"| {context.BOTH} | 1.50 (1.50-2.00) | 2.00 | 3.00 | 2 |"
    assert line in context.markdown(table)
    file = tmp_path / "bench.json"
    timing.write(file, "context", {"columns": {"1024 x 768": table}})
    (name,) = module("compare_runs").read(file)
    assert name == f"context: 1024 x 768: {context.BOTH}"


# --- image_sizes.py ---


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Output and table of image_sizes.py, for small networks and images."""
    folder = tmp_path_factory.mktemp("sizes")
    file, table = folder / "weights.safetensors", folder / "bench.json"
    serialization.save(
        file,
        tiny_experiment.networks()[1],
        tiny_experiment.get_config().model,
        blocks=2,
    )
    flags = [f"--weights={file}", "--sizes=96x64", "--rounds=2", "--photographs=3"]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/image_sizes.py", *flags, f"--json={table}"],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},  # each device compiles
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, json.loads(table.read_text())["sizes"]


def test_table_has_a_row_for_each_size(measured):
    text, tables = measured
    row = tables["sizes"]["96x64"]
    assert row["megapixels"] == 96 * 64 / 1e6
    assert 0 < row["low"] <= row["later"] <= row["high"]
    assert 0 < row["compiling"] and row["large"] <= row["programs"]
    assert 50 < row["loaded"] <= row["peak"] < 5000
    assert f"| 96x64 | {row['later']:.2f} (" in text


def test_counted_programs_are_those_that_jax_reports(measured):
    many = measured[1]["many"]
    assert many["photographs"] == 3
    assert many["programs"] == sum(many["by_name"].values())
    assert many["by_name"]["jit(classify)"] == 2  # GCE's and LCE's, for all sizes
    assert 1 <= many["by_name"]["jit(tile_density)"] <= 3


def test_second_start_finds_the_programs_of_the_first(measured):
    first, second = measured[1]["starts"].values()
    assert first["kept"] == 0 < second["kept"] <= second["programs"]
    assert second["programs"] == first["programs"]


# --- compare_runs.py ---


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Runs compare_runs.py on two tables or file texts: (status, stdout, stderr)."""

    def run(*results):
        files = [tmp_path / name for name in ("old.json", "new.json")]
        for file, result in zip(files, results, strict=True):
            text = result if isinstance(result, str) else json.dumps(result)
            file.write_text(text)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["compare_runs.py", "old.json", "new.json"])
        return module("compare_runs").main(), *capsys.readouterr()

    return run


def result(*ratios, benchmark="network", name="cpcnn_jax"):
    """A benchmark's table with one contender of these ratios to the reference."""
    seconds = {"reference": [1.0] * len(ratios), name: ratios}
    columns = {"t": timing.ratios(seconds, "reference")}
    return {benchmark: {"where": "here", "columns": columns}}


OLD = result(1.0, 1.1, 1.2, 1.3)


@pytest.mark.parametrize(
    "ratios, change, status",
    [
        ((1.2, 1.3, 1.4, 1.5), "same", 0),
        ((1.4, 1.5, 1.6, 1.7), "slower", 1),
        ((0.6, 0.7, 0.8, 0.9), "faster", 0),
    ],
)
def test_only_disjoint_quartile_ranges_are_a_change(compare, ratios, change, status):
    code, out, _ = compare(OLD, result(*ratios))
    *_, row, _, last = out.splitlines()
    assert row.startswith("| network: t: cpcnn_jax | 1.15 (1.02-1.28) | ")
    assert row.endswith(f" | {change} |")
    assert (code, last) == (status, f"{status} of 1 are slower.")


def test_rows_of_only_one_file_are_named(compare):
    more = result(5, 6, benchmark="density", name="cpcnn_jax, fixed")
    status, out, _ = compare(OLD, OLD | more)
    assert status == 0 and "t: reference" not in out
    assert "Only new.json has density: t: cpcnn_jax, fixed.\n" in out
    status, out, _ = compare(more, OLD)
    assert status == 2 and "0 of 0 are slower." in out and "---" not in out
    assert "Only old.json has density" in out and "Only new.json has network" in out


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "was not written by benchmarks' --json"),
        ("[]", "was not written by benchmarks' --json"),
        (
            '{"network": {"columns": {"t": {"cpcnn_jax": {"median": 1}}}}}',
            "not written",
        ),
        (
            '{"columns": {"t": {}}, "rounds": 9}',
            "was not written by benchmarks' --json",
        ),
        ('{"serve": {"rows": {}}}', "has no ratio of cpcnn_jax"),
    ],
)
def test_file_without_results_is_one_line_on_stderr(compare, text, reason):
    status, out, err = compare(OLD, text)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("compare_runs.py: new.json ") and reason in err


def test_missing_file_is_one_line_on_stderr(compare, monkeypatch, capsys):
    compare(OLD, OLD)
    monkeypatch.setattr(sys, "argv", ["compare_runs.py", "old.json", "none.json"])
    assert module("compare_runs").main() == 2
    err = capsys.readouterr().err
    assert err == "compare_runs.py: none.json: No such file or directory\n"
