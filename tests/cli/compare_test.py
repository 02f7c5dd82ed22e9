"""The compare command on small files of an evaluation."""

import csv
import json

import numpy as np
import pytest

from cpcnn_jax import __main__ as command
from cpcnn_jax.evaluation import predictions

TRUE = {f"IMG_{i}": 10 * i + 5 for i in range(1, 21)}


def level_of(count):
    return "lo" if count < 100 else "hi"


def write(folder, bias=0.0, true=TRUE, seed=0, level=level_of):
    """Writes predictions.csv with errors of `bias` plus noise."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    with open(folder / "predictions.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "count", "predicted", "psnr", "level"])
        for name, count in true.items():
            people = count + bias + rng.normal()
            table.writerow([name, count, people, 20.5, level(count)])
    return folder


@pytest.fixture
def runs(tmp_path):
    return write(tmp_path / "a", bias=2), write(tmp_path / "b", bias=9, seed=1)


def compare(capsys, *args):
    status = command.main(["compare", *map(str, args)])
    out, err = capsys.readouterr()
    return status, out, err


def fail(capsys, *args):
    """Runs the command, which must fail with one line on stderr."""
    status, out, err = compare(capsys, *args)
    assert (status, out) == (1, "") and err.startswith("compare: ")
    assert err.count("\n") == 1
    return err


def test_table_has_scores_and_intervals(runs, capsys):
    status, out, err = compare(capsys, *runs)
    assert (status, err) == (0, "")
    header, _, titles, a, b, difference, *_, test, meaning, how = out.splitlines()
    assert header.startswith("20 images")
    assert titles.split() == ["MAE", "95%", "interval", "RMSE"]
    name_a, mae_a, low_a, _, high_a, rmse_a = a.split()
    name_b, mae_b, *_ = b.split()
    assert (name_a, name_b) == tuple(map(str, runs))
    assert float(low_a) < float(mae_a) < float(high_a) and mae_a < rmse_a
    _, mean, low, _, high = difference.split()
    assert float(mean) == pytest.approx(float(mae_a) - float(mae_b), abs=0.011)
    assert float(low) < float(mean) < float(high) < 0
    assert float(test.split("p = ")[1]) == pytest.approx(2 / 2**20, rel=0.05)
    assert f"smaller error of {runs[0]}." in meaning
    assert "10,000 resamples, seed 0" in how


def test_columns_are_aligned(runs, capsys):
    titles, a, b, difference = compare(capsys, *runs)[1].splitlines()[2:6]
    end = titles.index("interval") + len("interval")
    for line in (a, b, difference):
        assert line[:end].endswith(line.split()[4])


def test_each_level_has_its_mae(runs, capsys):
    lines = compare(capsys, *runs)[1].splitlines()
    titles, *levels = [line.split() for line in lines[7:10]]
    assert titles[4:] == [*map(str, runs), "difference"]
    assert [level[:2] for level in levels] == [["lo", "9"], ["hi", "11"]]
    rows = [predictions.read(run) for run in runs]
    for name, _, *mae, difference in levels:
        for printed, run in zip(mae, rows, strict=True):
            errors = [
                abs(row["predicted"] - row["count"])
                for row in run
                if row["level"] == name
            ]
            assert printed == f"{sum(errors) / len(errors):.2f}"
        assert float(difference) == pytest.approx(
            float(mae[0]) - float(mae[1]), abs=0.011
        )


@pytest.mark.parametrize("level", [lambda count: "", lambda count: "lo"])
def test_different_levels_are_not_compared(runs, tmp_path, capsys, level):
    other = write(tmp_path / "other", level=level)
    status, out, _ = compare(capsys, runs[0], other)
    assert status == 0 and "images  " not in out
    assert "No MAE per density level: the runs do not have the same levels.\n" in out


def test_json_has_the_printed_numbers(runs, tmp_path, capsys):
    file = tmp_path / "result.json"
    status, out, _ = compare(capsys, *runs, "--json", file)
    result = json.loads(file.read_text())
    assert status == 0 and [run["run"] for run in result["runs"]] == [*map(str, runs)]
    assert result["num_images"] == 20 and result["bootstrap"]["confidence"] == 0.95
    for run in result["runs"]:
        low, high = run["mae_interval"]
        assert low < run["mae"] < high and run["mae"] < run["rmse"]
        assert f"{run['mae']:.2f}" in out and f"{low:.2f} to {high:.2f}" in out
    a, b = (run["mae"] for run in result["runs"])
    assert result["difference"]["mean"] == pytest.approx(a - b)
    levels = result["mae_per_level"]
    assert [level["level"] for level in levels] == ["lo", "hi"]
    mean = sum(level["num_images"] * level["mae"][0] for level in levels) / 20
    assert mean == pytest.approx(a)
    table = runs[1] / "predictions.csv"
    assert f"{table} is an input" in fail(capsys, *runs, "--json", table)
    nowhere = tmp_path / "no" / "result.json"
    assert str(nowhere) in fail(capsys, *runs, "--json", nowhere)


def test_rows_are_paired_by_name(runs, tmp_path, capsys):
    lines = (runs[1] / "predictions.csv").read_text().splitlines()
    shuffled = write(tmp_path / "shuffled")
    text = "\n".join([lines[0], *reversed(lines[1:])])
    (shuffled / "predictions.csv").write_text(text)
    _, same, _ = compare(capsys, runs[1], shuffled)
    assert "+0.00 to +0.00" in same and same.count("p = 1\n") == 1


def test_images_of_one_run_are_left_out_and_named(runs, tmp_path, capsys):
    fewer = {name: count for name, count in TRUE.items() if name != "IMG_7"}
    other = write(tmp_path / "other", true={**fewer, "IMG_99": 3})
    file = tmp_path / "result.json"
    status, out, err = compare(capsys, runs[0], other, "--json", file)
    assert status == 0 and out.startswith("19 images")
    assert err == "compare: left out, of only one run: IMG_7, IMG_99\n"
    for run, scores in zip(
        (runs[0], other), json.loads(file.read_text())["runs"], strict=True
    ):
        rows = [row for row in predictions.read(run) if row["name"] in fewer]
        errors = [abs(row["predicted"] - row["count"]) for row in rows]
        assert len(rows) == 19 and scores["mae"] == pytest.approx(np.mean(errors))


def test_runs_without_common_images_are_refused(runs, tmp_path, capsys):
    none = write(tmp_path / "none", true={"X": 1, "IMG_3": TRUE["IMG_3"]})
    message = fail(capsys, runs[0], none)
    assert "expected at least 2 images in common, got 1" in message
    assert "and 15 more" in message


def test_different_true_counts_are_named(runs, tmp_path, capsys):
    other = write(tmp_path / "other", true={**TRUE, "IMG_3": 36})
    expected = "the runs have different true counts: IMG_3\n"
    assert expected in fail(capsys, runs[0], other)


def test_missing_file_is_named(runs, tmp_path, capsys):
    err = fail(capsys, runs[0], tmp_path / "nothing")
    assert f"{tmp_path / 'nothing' / 'predictions.csv'} does not exist" in err
    assert "--mode=evaluate" in err


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "has no column name, count, predicted"),
        ("name,count\nx,1\n", "has no column predicted"),
        ("name,count,predicted\n", "expected at least 2 images, got 0"),
        ("name,count,predicted\nx,1,2\nx,1,2\n", "has x twice"),
        ("name,count,predicted\nx,1,2\ny,1,\n", "line 3: expected two numbers"),
        ("name,count,predicted\nx,1,nan\n", "line 2: expected two numbers"),
        ("name,count,predicted\nx,1\n", "predicted None"),
        (b"\xff\xfe\x00", "has no column name, count, predicted"),
    ],
)
def test_invalid_file_is_named(runs, capsys, text, reason):
    file = runs[1] / "predictions.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    err = fail(capsys, *runs)
    assert str(file) in err and reason in err


def test_missing_argument_is_status_2(runs, capsys):
    with pytest.raises(SystemExit) as error:
        compare(capsys, runs[0])
    assert error.value.code == 2
    assert "run_b" in capsys.readouterr().err
