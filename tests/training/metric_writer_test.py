import json

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cpcnn_jax.training.metric_writer import MetricWriter


def lines(folder):
    return [json.loads(t) for t in (folder / "metrics.jsonl").read_text().splitlines()]


def test_lines_are_on_disk_at_once_and_a_second_run_appends(tmp_path):
    log = MetricWriter(tmp_path)
    log.write_scalars("gce", 10, {"loss": 0.5, "accuracy": 1.0})
    (line,) = lines(tmp_path)
    assert line.pop("time") > 1e9
    assert line == {"stage": "gce", "step": 10, "loss": 0.5, "accuracy": 1.0}
    log.close()
    log = MetricWriter(tmp_path)
    log.write_scalars("gce", 20, {"loss": 0.25})
    log.close()
    assert [line["step"] for line in lines(tmp_path)] == [10, 20]


def test_tensorboard_reads_scalars_and_images(tmp_path):
    log = MetricWriter(tmp_path)
    log.write_scalars("density", 3, {"loss": 0.5})
    log.write_image("density", 3, np.full((4, 6, 3), 200, np.uint8))
    log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    (scalar,) = board.Scalars("density/loss")
    assert (scalar.step, scalar.value) == (3, 0.5)
    (picture,) = board.Images("density/crop")
    assert (picture.step, picture.width, picture.height) == (3, 6, 4)
