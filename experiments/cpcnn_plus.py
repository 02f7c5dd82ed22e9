"""CP-CNN on ShanghaiTech A with present-day training: the same four networks.

    python launch.py --config=experiments/cpcnn_plus.py --workdir=runs/plus \
        --config.data.root=data/ShanghaiTech

Fine-tunes DME and F-CNN of the pretrained shanghaitech_a_longer. Needs
weights/vgg16.safetensors (`make vgg16`).

Departs from the paper: every crop is augmented and comes from a rescaled image with
other colors; the loss also compares means over cells of 8 and 64 pixels; the parameters
are averaged; no adversary.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 115.6 (95% interval 98.5 to 134.1), RMSE 168.2.
Hardware: two shared CPU cores, 24 minutes of training and 36 for the context scores.
Validation MAE: 149.2 and 145.7 after 2,000 and 4,000 steps, 150.6 before.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.init_from = "shanghaitech_a_longer"
    experiment.gce.steps = experiment.lce.steps = experiment.adversary.steps = 0
    experiment.crops.num_plain, experiment.crops.num_augmented = 0, 20
    experiment.crops.max_scale, experiment.crops.color_jitter = 1.3, 0.2
    experiment.density.steps, experiment.density.learning_rate = 4000, 1e-4
    experiment.density.multiscale_loss_sizes = (8, 64)
    experiment.density.ema_decay = 0.998
    experiment.validation.eval_every = 2000
    return experiment
