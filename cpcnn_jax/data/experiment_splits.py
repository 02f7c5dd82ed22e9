"""The images of one experiment: training, validation and evaluation, opened once."""

from typing import NamedTuple

from cpcnn_jax import data
from cpcnn_jax.config import Experiment
from cpcnn_jax.data import Dataset, crops
from cpcnn_jax.data.splits import split, split_by_names


class ExperimentSplits(NamedTuple):
    """Data sets of an experiment; see `cpcnn_jax.data`."""

    train: Dataset  # the images that the networks are trained on
    validation: Dataset  # held-out training images; may be empty
    evaluation: Dataset  # the images that the evaluation scores
    eval_split: str  # "test" or "validation", the kind of `evaluation`
    train_counts: list[int]  # heads on all training images, held-out ones included


def open_splits(config: Experiment, eval_split: str = "test") -> ExperimentSplits:
    """Opens all images that a run reads.

    Args:
      config: the experiment.
      eval_split: "test" or "validation".

    Returns:
      The data sets, with every evaluation image at least 64x64 pixels.

    Raises:
      ValueError: images are missing or damaged, an evaluation image is too small, or no
        images are held out for an evaluation on them.
    """
    test = data.open_dataset(config.data, "test") if eval_split == "test" else None
    known = data.open_dataset(config.data, "train")
    if file := config.validation.names_file:
        train, validation = split_by_names(known, file)
    else:
        train, validation = split(known, config.validation.percent)
    evaluation = validation if test is None else test
    if test is None and not len(validation):
        raise ValueError(
            f"--config.validation.percent={config.validation.percent} holds out no "
            "images, which --eval_split=validation needs"
        )
    crops.check_sizes(evaluation)
    counts = [len(points) for points in known.points]
    return ExperimentSplits(train, validation, evaluation, eval_split, counts)
