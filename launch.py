"""Trains or evaluates an experiment, or a sweep of it: `cpcnn_jax train` in a clone.

    python launch.py --config=experiments/demo.py --workdir=runs/demo
    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=DIR --config.density.steps=2000
    python launch.py --config=experiments/demo.py --workdir=runs/rates \
        --sweep=seed=0,1,2 --sweep=density.learning_rate=1e-4,3e-4
    python launch.py --config=experiments/demo.py --workdir=runs/demo \
        --cluster=slurm --job.nodes=2 --dry_run

The same command resumes a stopped run. docs/scaling-machines.md describes several
processes, SLURM, Kubernetes and TPU pods.
"""

import sys

from cpcnn_jax.cli import train
from cpcnn_jax.io import console

if __name__ == "__main__":
    console.tolerate_closed_pipes()
    train.main(sys.argv[1:], program=("python", sys.argv[0]))
