"""cpcnn_plus_context_longer, its LCE with classes that reach further: by the roots.

    python launch.py --config=experiments/cpcnn_plus_context_root.py \
        --workdir=runs/plus_context_root --config.data.root=data/ShanghaiTech

Goes on from runs/plus_context_longer, what the command of cpcnn_plus_context_longer.py
trains: all but F-CNN, and of LCE all but the last layer. Needs
weights/vgg16.safetensors (`make vgg16`).

Departs from the paper as cpcnn_plus_context_longer does; its classes are of equal width
in the counts' square roots; F-CNN is hardly trained.

Paper's row: MAE 73.6, RMSE 106.4.
"""

from experiments import cpcnn_plus_context_longer


def get_config():
    experiment = cpcnn_plus_context_longer.get_config()
    experiment.start = "runs/plus_context_longer"
    experiment.model.classes = "root"
    experiment.lce.steps = 450
    experiment.density.steps = experiment.validation.every = 10
    experiment.density.warmup = 0
    return experiment
