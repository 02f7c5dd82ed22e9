"""CP-CNN on ShanghaiTech part A, as one would train it today: the same four networks.

    python launch.py --config=experiments/cpcnn_plus.py --workdir=runs/plus \
        --config.data.root=data/ShanghaiTech

Goes on from the released shanghaitech_a_longer, whose GCE and LCE it keeps. Needs
weights/vgg16.safetensors (`make vgg16`).

Departs from the paper: no crop is plain, and each is cut from a smaller or larger copy
of the photograph, in other colours; means over cells of 8 and of 64 pixels are
compared, too; what is kept is a running mean of the weights; no adversary.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 115.6 (95% interval 98.5 to 134.1), RMSE 168.2, after 24 minutes of
training on two CPU cores with other work beside them, and 36 of context that another
training left little of them for. On the validation photographs the MAE was 149.2 and
145.7 after 2,000 and 4,000 steps, from 150.6.
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
