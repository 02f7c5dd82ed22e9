"""cpcnn_plus trained on: it had seen too few crops to fit them.

    python launch.py --config=experiments/cpcnn_plus_longer.py \
        --workdir=runs/plus_longer --config.data.root=data/ShanghaiTech

Goes on from the released cpcnn_plus (experiments/cpcnn_plus.py): four times as many
steps on 32 other crops of each photograph, at twice the learning rate. Needs
weights/vgg16.safetensors (`make vgg16`).
"""

from experiments import cpcnn_plus


def get_config():
    experiment = cpcnn_plus.get_config()
    experiment.start = "cpcnn_plus"
    experiment.seed = 1  # other crops
    experiment.crops.changed = 32
    experiment.density.steps, experiment.density.learning_rate = 16_000, 2e-4
    experiment.validation.every = 4000
    return experiment
