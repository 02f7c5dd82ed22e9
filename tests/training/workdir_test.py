import json

import pytest

from cpcnn_jax import config
from cpcnn_jax.config import Experiment
from cpcnn_jax.training import workdir


def begun(folder, experiment=None):
    """A workdir of a run that has begun."""
    workdir.claim_workdir(folder, experiment or Experiment())
    (folder / "metrics.jsonl").touch()
    return folder


def test_another_kind_of_data_set_is_another_experiment(tmp_path):
    mine = config.Experiment(data=config.UcfQnrf(root="a"))
    workdir.claim_workdir(tmp_path, mine)
    (tmp_path / "metrics.jsonl").touch()
    workdir.claim_workdir(tmp_path, config.Experiment(data=config.UcfQnrf(root="b")))
    with pytest.raises(ValueError, match="data.kind was UcfQnrf, now JhuCrowd"):
        workdir.claim_workdir(
            tmp_path, config.Experiment(data=config.JhuCrowd(root="a"))
        )


def test_an_evaluation_keeps_the_training_s_environment_record(tmp_path):
    workdir.claim_workdir(tmp_path, config.Experiment(), record=False)
    record = json.loads((tmp_path / "environment.json").read_text())
    assert record["devices"]
    (tmp_path / "environment.json").write_text('{"devices": ["H100"]}')
    workdir.claim_workdir(tmp_path, config.Experiment(), record=False)
    assert "H100" in (tmp_path / "environment.json").read_text()
    workdir.claim_workdir(tmp_path, config.Experiment())
    assert json.loads((tmp_path / "environment.json").read_text()) == record


def test_config_and_environment_are_written(tmp_path):
    workdir.claim_workdir(tmp_path / "a" / "b", Experiment(seed=7))
    written = json.loads((tmp_path / "a" / "b" / "config.json").read_text())
    assert written["seed"] == 7
    assert written["model"]["dme_columns"][0][0] == [16, 9]
    record = json.loads((tmp_path / "a" / "b" / "environment.json").read_text())
    assert set(record) == {"commit", "python", "platform", "devices", "packages"}


def test_the_same_experiment_may_claim_a_workdir_again(tmp_path):
    folder = begun(tmp_path / "run")
    workdir.claim_workdir(
        folder, Experiment(checkpoint_every=7, log_every=3, count_reference="maps")
    )
    assert json.loads((folder / "config.json").read_text())["checkpoint_every"] == 7


def test_another_experiment_is_refused_with_its_fields(tmp_path):
    folder = begun(tmp_path / "run")
    before = (folder / "config.json").read_text()
    other = Experiment(seed=1, crops=config.Crops(num_plain=7), gce=config.GCEStage(3))
    with pytest.raises(ValueError) as error:
        workdir.claim_workdir(folder, other)
    assert str(error.value) == (
        f"--workdir={folder} holds another experiment (config.crops.num_plain was 100, "
        "now 7; config.gce.steps was 1000, now 3; config.seed was 0, now 1); "
        "nothing was changed in it: choose another folder"
    )
    assert (folder / "config.json").read_text() == before


def test_a_field_newer_than_the_run_has_its_default(tmp_path):
    folder = begun(tmp_path / "run", Experiment(data=config.ShanghaiTech()))
    old = json.loads((folder / "config.json").read_text())
    del old["crops"]["max_scale"], old["density"], old["data"]["on_invalid"]
    (folder / "config.json").write_text(json.dumps(old))
    other = Experiment(data=config.ShanghaiTech(), crops=config.Crops(max_scale=2.0))
    with pytest.raises(ValueError, match=r"config.crops.max_scale was 1.0, now 2.0\)"):
        workdir.claim_workdir(folder, other)
    workdir.claim_workdir(folder, Experiment(data=config.ShanghaiTech()))
    assert "max_scale" in json.loads((folder / "config.json").read_text())["crops"]
    del old["data"]["kind"]
    (folder / "config.json").write_text(json.dumps(old))
    with pytest.raises(ValueError, match="config.data.kind was None"):
        workdir.claim_workdir(folder, Experiment(data=config.ShanghaiTech()))


def test_a_run_of_another_version_is_refused(tmp_path):
    """Version 0.1 had other names of fields: nothing is resumed by halves."""
    folder = begun(tmp_path / "run", Experiment())
    old = json.loads((folder / "config.json").read_text())
    old["crops"]["an_old_name"] = old["crops"].pop("num_plain")
    (folder / "config.json").write_text(json.dumps(old))
    text = "a run of another version of cpcnn_jax .* no config.crops.an_old_name"
    with pytest.raises(ValueError, match=text):
        workdir.claim_workdir(folder, Experiment())


def test_many_differences_are_counted(tmp_path):
    folder = begun(tmp_path / "run")
    stage = config.LCEStage(3, 3, 3.0)
    with pytest.raises(ValueError, match="and 3 more"):
        workdir.claim_workdir(
            folder, Experiment(lce=stage, gce=config.GCEStage(3, 3, 3.0))
        )


def test_another_data_root_is_the_same_experiment(tmp_path):
    folder = begun(tmp_path / "run", Experiment(data=config.ShanghaiTech(root="a")))
    workdir.claim_workdir(folder, Experiment(data=config.ShanghaiTech(root="b")))
    with pytest.raises(ValueError, match="config.data.part was A, now B"):
        workdir.claim_workdir(folder, Experiment(data=config.ShanghaiTech(part="B")))
    with pytest.raises(ValueError, match="data.kind was ShanghaiTech, now Synthetic"):
        workdir.claim_workdir(folder, Experiment())


def test_a_run_that_never_began_may_change_its_configuration(tmp_path):
    workdir.claim_workdir(tmp_path, Experiment(seed=1))
    workdir.claim_workdir(tmp_path, Experiment(seed=2))
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 2


def test_a_folder_without_a_run_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ValueError, match="is not empty and holds no config.json"):
        workdir.claim_workdir(tmp_path, Experiment())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_config_json_is_named(tmp_path):
    folder = begun(tmp_path / "run")
    (folder / "config.json").write_text('{"seed": ')
    with pytest.raises(ValueError, match=r"run/config.json is damaged \(Expecting"):
        workdir.claim_workdir(folder, Experiment())


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_as_workdir_is_refused(tmp_path, below):
    (tmp_path / "file").touch()
    text = r"^--workdir=.*file.* cannot be made \(.*\): choose a folder that may be"
    with pytest.raises(ValueError, match=text):
        workdir.claim_workdir(tmp_path / "file" / below, Experiment())


def test_processes_must_share_workdir_and_experiment(tmp_path):
    experiment = config.Experiment()
    with pytest.raises(ValueError, match="choose a --workdir that all machines share"):
        workdir.check_shared(tmp_path / "elsewhere", experiment)
    workdir.claim_workdir(tmp_path, experiment)
    workdir.check_shared(tmp_path, experiment)
    text = "config.json is of process 0 and says that config.seed was 0, now 1"
    with pytest.raises(ValueError, match=text):
        workdir.check_shared(tmp_path, config.Experiment(seed=1))
    with pytest.raises(ValueError, match="config.checkpoint_every was 200, now 7"):
        workdir.check_shared(tmp_path, config.Experiment(checkpoint_every=7))


def test_each_process_may_have_its_own_copy_of_the_data(tmp_path):
    here, there = (config.ShanghaiTech(root=root) for root in ("here", "there"))
    workdir.claim_workdir(tmp_path, config.Experiment(data=here))
    workdir.check_shared(tmp_path, config.Experiment(data=there))
