"""benchmarks/host_time.py: a training whose steps compute nothing."""

import json
import sys

import pytest
import tiny_experiment
from benchmark_modules import module

host_time = module("host_time")


def test_rates_are_of_steps_that_compute_nothing(tmp_path):
    settings = tiny_experiment.get_config()
    settings.gce.steps = settings.lce.steps = settings.adversary.steps = 0
    settings.model.use_gce = settings.model.use_lce = False
    rates = host_time.host_rates(settings, tmp_path / "run")
    assert len(rates) == settings.density.steps and min(rates) > 0
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
    assert losses == [0] * settings.density.steps


def test_experiment_has_one_stage_of_the_gpu_experiment():
    for name in host_time.STAGES:
        stages = host_time.experiment(name, 70).stages()
        assert stages.pop(name).steps == 70
        assert not any(stage.steps for stage in stages.values())


def test_row_has_the_time_of_a_call():
    """32 images a step at 200 images a second: 8 seconds for 50 steps."""
    assert host_time.row("gce", [100.0, 300.0, 200.0], 32) == ["gce", "8000.0", "200"]


def test_less_than_a_call_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["host_time.py", "--steps=49"])
    with pytest.raises(SystemExit):
        host_time.main()
    assert "--steps=49: a call has 50 steps" in capsys.readouterr().err
