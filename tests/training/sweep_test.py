"""Sweeps: their points, folders and table of results."""

import csv
import json

import pytest

from cpcnn_jax.cli import sweep as sweep_command
from cpcnn_jax.evaluation import predictions
from cpcnn_jax.training import sweep


def test_every_combination_is_a_point():
    found = sweep.grid_points(["seed=0,1,2", "density.learning_rate=1e-4,3e-4"])
    assert len(found) == 6
    assert found[1] == {"seed": "0", "density.learning_rate": "3e-4"}
    names = [sweep.folder_name(point) for point in found]
    assert names[-1] == "seed=2,density.learning_rate=3e-4"
    assert len({*names}) == 6


@pytest.mark.parametrize(
    ("sweeps", "text"),
    [
        (["seed"], "--sweep=seed must be FIELD=VALUE,VALUE"),
        (["=1"], "--sweep==1 must be FIELD=VALUE"),
        (["seed=1,"], "--sweep=seed=1, must be FIELD=VALUE"),
        (["seed=1,1"], "with different values"),
        (["data.root=a/b"], "--sweep=data.root=a/b must be"),
        (["seed=1", "seed=2"], "--sweep=seed=... is given twice: join its values"),
    ],
)
def test_invalid_sweeps_are_refused(sweeps, text):
    with pytest.raises(ValueError, match=text):
        sweep.grid_points(sweeps)


def finished(workdir, name, *, split="test", **scores):
    folder = predictions.results_folder(workdir / name, split)
    folder.mkdir(parents=True, exist_ok=True)
    scores = dict.fromkeys(sweep.SCORES, 1.0) | {"num_images": 3} | scores
    scores |= {"nae": 0, "split": split}
    (folder / "metrics.json").write_text(json.dumps(scores))


def test_the_table_has_the_finished_points_best_first(tmp_path, capsys):
    finished(tmp_path, "seed=0,lce.steps=2", mae=12.345, psnr=None)
    finished(tmp_path, "seed=10,lce.steps=2", mae=9)
    (tmp_path / "seed=2,lce.steps=2").mkdir()  # has been started
    assert sweep_command.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "seed  lce.steps    mae  rmse  psnr   ssim  num_images",
        "  10          2   9.00  1.00  1.00  1.000           3",
        "   0          2  12.35  1.00     -  1.000           3",
    ]
    with open(tmp_path / "sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["10", "0"]
    assert float(rows[1]["mae"]) == 12.345 and rows[1]["psnr"] == ""


def test_results_of_the_splits_stand_beside_each_other(tmp_path):
    finished(tmp_path, "seed=0", split="validation", mae=7)
    folder = tmp_path / "seed=0"
    assert sweep.is_finished(folder, "validation")
    assert not sweep.is_finished(folder, "test")
    finished(tmp_path, "seed=0", mae=8)
    assert sweep.is_finished(folder, "test")
    for split, mae in ((None, 7), ("validation", 7), ("test", 8)):
        assert [row["mae"] for row in sweep.read_rows(tmp_path, split)] == [mae]
    (folder / "metrics.json").write_text("[")
    assert not sweep.is_finished(folder, "test")


def test_no_finished_run_or_a_damaged_one_is_one_sentence(tmp_path, capsys):
    assert sweep_command.main([str(tmp_path)]) == 1
    said = f"sweep: {tmp_path} has no finished run of a sweep\n"
    assert capsys.readouterr().err == said
    assert sweep_command.main([f"{tmp_path}/gone"]) == 1
    assert capsys.readouterr().err == f"sweep: there is no folder {tmp_path}/gone\n"
    for damaged in ("{", "[]", '{"mae": 1.0}', '{"mae": null}'):
        finished(tmp_path, f"seed={len(damaged)}")
        (tmp_path / f"seed={len(damaged)}" / "metrics.json").write_text(damaged)
        assert sweep_command.main([str(tmp_path)]) == 1
        assert "is damaged: evaluate that run again" in capsys.readouterr().err
        (tmp_path / f"seed={len(damaged)}" / "metrics.json").unlink()
