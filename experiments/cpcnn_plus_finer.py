"""cpcnn_plus with 20 density classes instead of 5, and more steps.

    python launch.py --config=experiments/cpcnn_plus_finer.py \
        --workdir=runs/plus_finer --config.data.root=data/ShanghaiTech

Goes on from the released cpcnn_plus (experiments/cpcnn_plus.py), each of whose classes
is divided into four: the same four networks, whose context says more. Needs
weights/vgg16.safetensors (`make vgg16`).

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 113.7 (95% interval 98.5 to 130.2), RMSE 157.4, after 77 minutes on two CPU
cores with other work beside some of them: 11 for GCE, 5 for LCE, 12 for the context, 49
for DME and F-CNN. On the validation photographs the MAE was 172.6 and 173.5 after 5,000
and 10,000 steps, from 145.7: by them cpcnn_plus is the better, and these weights, those
after 5,000 steps, are not released.
"""

from experiments import cpcnn_plus, shanghaitech_a


def get_config():
    experiment, stages = cpcnn_plus.get_config(), shanghaitech_a.get_config()
    experiment.start = "cpcnn_plus"
    experiment.seed = 1  # other crops
    experiment.crops.changed = 24
    experiment.model.num_classes = 20
    experiment.gce, experiment.lce = stages.gce, stages.lce
    experiment.gce.steps = 400
    experiment.density.steps, experiment.density.learning_rate = 10_000, 2e-4
    experiment.validation.every = 5000
    return experiment
