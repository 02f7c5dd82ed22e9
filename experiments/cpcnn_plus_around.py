"""cpcnn_plus_context, its LCE trained on so that it sees what is around each window.

    python launch.py --config=experiments/cpcnn_plus_around.py \
        --workdir=runs/plus_around --config.data.root=data/ShanghaiTech
"""

from experiments import cpcnn_plus_context_longer


def get_config():
    experiment = cpcnn_plus_context_longer.get_config()
    experiment.taken = ("gce", "lce", "dme", "fcnn")  # all, for finer classes
    experiment.model.num_classes = 80
    experiment.model.lce_side = experiment.model.local_stride = 256
    experiment.lce.batch_size = 4  # of 16 windows each
    experiment.lce.steps = 5600
    return experiment
