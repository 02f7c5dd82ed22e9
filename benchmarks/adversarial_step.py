"""Speed of the adversarial training step against the same step in PyTorch.

    python benchmarks/adversarial_step.py [--rounds 3] [--json FILE]

`train_step.adversarial_step` on four 256 x 192 crops, split over two virtual devices:
Adam's step of the discriminator at full width, then that of DME and F-CNN with the new
discriminator, in float32, with given context maps. PyTorch runs the same step
eagerly. Both losses of every contender are compared over three steps before the timing.
The table is that of networks_cpu.py.
"""

import argparse
import dataclasses

import jax
import networks_cpu  # first, since it sets the number of JAX's devices
import numpy as np
import optax
import timing
import torch
import torch_twins
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torch_twins import REFERENCE

from cpcnn_jax import config
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.training import train_state, train_step
from cpcnn_jax.training.init import params as init_params

CROPS = (4, 192, 256)
# Adam's rates are larger than in training, so that three steps reveal differences.
SETTINGS = config.Adversary(learning_rate=1e-4, discriminator_learning_rate=1e-3)
CLASSES = config.Model.num_classes
POOLED = (2, 3, 5)  # the discriminator's convolutions before a pooling


@dataclasses.dataclass
class Weights:
    """Initial weights of a step, flat dicts of arrays."""

    generator: dict
    judge: dict


def model():
    """Builds CP-CNN; only the places of GCE's and LCE's windows are used."""
    return cpcnn.build(config.Model())


def judge_weights(width=SETTINGS.discriminator_width_multiplier):
    """Draws weights of a discriminator of that width, a flat dict of arrays."""
    discriminator = Discriminator(width)
    weights = init_params.random_params(discriminator, 0, "discriminator", channels=1)
    return {name: np.asarray(value) for name, value in weights.items()}


def arrays(batch, height, width):
    """Makes a batch of the joint stage; a crop is one block and its 64x64 windows."""
    random = np.random.default_rng(1)
    batch_arrays = torch_twins.arrays(batch, height, width)
    grids = model().grids((height, width), blocks=1)
    scores = {
        name: random.random((batch, *map(len, spans), CLASSES), np.float32)
        for name, spans in grids.items()
    }
    context = model().apply({}, scores, batch_arrays["image"], method="spread")
    inputs = {name: batch_arrays[name] for name in ("image", "density")}
    return inputs | {"context": np.asarray(context)}


def jax_step(weights, batch, settings=SETTINGS):
    """Makes `() -> [loss, discriminator's loss]` of cpcnn_jax, the batch split."""
    tx = optax.adam(settings.learning_rate)
    judge_tx = optax.adam(
        settings.discriminator_learning_rate, b1=settings.discriminator_beta1
    )
    judge = Discriminator(len(weights.judge["conv1_slope"]) / 64)
    strategy = data_parallel.jit_strategy()
    step = train_step.adversarial_step(
        model(),
        tx,
        judge,
        judge_tx,
        weight=settings.weight,
        options=train_step.StepOptions(axis_name=strategy.axis_name),
    )
    compiled = jax.jit(step, donate_argnums=0)
    given = torch_twins.split(batch, strategy)
    state = strategy.place_state(
        train_state.GANState(
            train_state.new_state(weights.generator, tx, trains=lambda name: True),
            train_state.new_state(weights.judge, judge_tx, trains=lambda name: True),
        )
    )

    def call():
        nonlocal state
        state, metrics = compiled(state, given)
        return np.stack([metrics["loss"], metrics["discriminator"]])

    return call


def judge_twin(weights, layout):
    """Builds the discriminator in PyTorch: parameters, and a function of maps."""
    parameters = torch_twins.parameters_of(weights, layout)

    def convolve(x, name):
        kernel, bias = parameters[f"{name}/kernel"], parameters[f"{name}/bias"]
        return F.conv2d(x, kernel, bias, padding="same")

    def judge(x):
        for number in range(1, 6):
            x = convolve(x, f"conv{number}")
            x = F.prelu(x, parameters[f"conv{number}_slope"])
            x = F.max_pool2d(x, 2) if number in POOLED else x
        return convolve(x, "conv6")

    return parameters, judge


def torch_step(weights, batch, layout, settings=SETTINGS):
    """Makes `() -> [loss, discriminator's loss]` of PyTorch; it estimates once."""
    parameters, generate = torch_twins.twin(weights.generator, layout)
    judge_parameters, judge = judge_twin(weights.judge, layout)
    scale = torch_twins.MODEL.density_scale
    image, context, density = (
        torch_twins.images(x, layout)
        for x in (batch["image"], batch["context"], batch["density"])
    )
    optimizer = torch.optim.Adam(parameters.values(), lr=settings.learning_rate)
    judge_optimizer = torch.optim.Adam(
        judge_parameters.values(),
        lr=settings.discriminator_learning_rate,
        betas=(settings.discriminator_beta1, 0.999),
    )

    def call():
        estimate = scale * generate(image, context)
        true = -F.logsigmoid(judge(scale * density)).mean()
        false = -F.logsigmoid(-judge(estimate.detach())).mean()
        judge_loss = (true + false) / 2
        judge_optimizer.zero_grad()
        judge_loss.backward()
        judge_optimizer.step()
        euclidean = ((estimate - scale * density) ** 2).mean()
        adversarial = -F.logsigmoid(judge(estimate)).mean()
        loss = euclidean + settings.weight * adversarial
        optimizer.zero_grad()
        loss.backward(inputs=list(parameters.values()))  # not the discriminator's
        optimizer.step()
        return np.stack([loss.detach().numpy(), judge_loss.detach().numpy()])

    return call


def contenders(weights, batch):
    """Makes all timed calls, by name."""
    return {
        REFERENCE: torch_step(weights, batch, torch.channels_last),
        "torch contiguous": torch_step(weights, batch, torch.contiguous_format),
        "cpcnn_jax": jax_step(weights, batch),
    }


def operations(weights, batch, height, width):
    """Counts the FLOPs of the convolutions, from PyTorch's count for one crop."""
    with FlopCounterMode(display=False) as counter:
        torch_step(weights, arrays(1, 64, 64), torch.contiguous_format)()
    return counter.get_total_flops() * (batch * height * width) / 64**2


def main():
    """Measures, prints the table and optionally adds it to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="at least 2")
    parser.add_argument("--json", metavar="FILE", help="also write the table here")
    flags = parser.parse_args()
    weights = Weights(torch_twins.first_weights(), judge_weights())
    calls = contenders(weights, arrays(*CROPS))
    torch_twins.agree(calls, times=3)
    seconds = timing.interleaved(calls, flags.rounds)
    title = "4 of 256 x 192, step with the adversary"
    columns = {title: networks_cpu.rates(seconds, operations(weights, *CROPS))}
    print(networks_cpu.markdown(columns))
    where = networks_cpu.machine(flags.rounds)
    print(f"\n{where}")
    if flags.json:
        table = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "adversary", table)


if __name__ == "__main__":
    main()
