"""How fast are DME and F-CNN, next to the same networks in PyTorch?

    python benchmarks/network.py [--rounds 5] [--compile] [--json FILE]

One 1024 x 768 photograph forward, and a training step (loss L_E, Adam) on a batch of
eight 256 x 192 crops, float32, context maps given. All contenders take turns in every
round, each alone on all cores; a cell is the median over the rounds of time / time of
PyTorch's eager form with channels_last in that round, with its quartiles. What the
contenders compute is compared before anything is timed. GFLOP/s are the convolutions'
operations, as PyTorch counts them, beside the machine's own for a large matrix product.
"""

import argparse
import os
import platform

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")  # before JAX is imported

import jax
import jax.numpy as jnp
import numpy as np
import optax
import timing
import torch
from flax.traverse_util import flatten_dict
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from cpcnn_jax import config, parallel, steps
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.vgg import MEAN, STD

REFERENCE = "torch channels_last"
RATE = 1e-4  # of Adam
MODEL = CPCNN(gce=None, lce=None)  # the benchmark gives the context itself
CONTEXT = 10  # maps


def arrays(batch, height, width):
    """Images, true densities and context maps of one batch."""
    random = np.random.default_rng(0)
    image = random.random((batch, height, width, 3), np.float32)
    density = random.random((batch, height, width, 1), np.float32) / 500
    context = random.random((batch, height // 4, width // 4, CONTEXT), np.float32)
    return {"image": image, "density": density, "context": context}


def first_weights():
    """Weights of DME and F-CNN, a flat dict of arrays."""
    small = {name: jnp.asarray(x) for name, x in arrays(1, 64, 64).items()}
    tree = jax.jit(MODEL.init)(
        jax.random.key(0), small["image"], context=small["context"]
    )
    return jax.device_get(flatten_dict(tree["params"], sep="/"))


def jax_forward(weights, batch):
    """`() -> density` on one device: one photograph is not divided."""
    place = jax.devices()[0]

    def estimate(weights, image, context):
        return MODEL.apply(steps.variables(weights), image, context=context)[0]

    given = jax.device_put((weights, batch["image"], batch["context"]), place)
    compiled = jax.jit(estimate)
    return lambda: np.asarray(compiled(*given))


def jax_training(weights, batch):
    """`() -> loss`, a step of Adam, the batch divided over the virtual devices."""
    tx = optax.adam(RATE)
    strategy = parallel.jit_strategy()

    def loss(params, batch):
        found, _ = MODEL.apply(
            steps.variables(params), batch["image"], context=batch["context"]
        )
        return jnp.mean((100 * (found - batch["density"])) ** 2)

    def step(state, batch):
        params, opt_state = state
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    compiled = strategy.wrap(step)
    given = strategy.place_batch(batch)
    state = strategy.place_state((weights, tx.init(weights)))

    def call():
        nonlocal state
        state, value = compiled(state, given)
        return np.asarray(value)

    return call


def twin(weights, layout):
    """The two networks in PyTorch: parameters, and a function (image, context)."""
    parameters = {}
    for name, value in weights.items():
        value = torch.tensor(np.array(value))
        if name.endswith("kernel"):
            if "/t" in name:  # T: [k, k, in, out] slides flipped in PyTorch
                value = value.flip(0, 1).permute(2, 3, 0, 1)
            else:
                value = value.permute(3, 2, 0, 1)
            value = value.contiguous(memory_format=layout)
        parameters[name] = value.requires_grad_()

    def layer(x, name, convolve=F.conv2d, **options):
        return convolve(
            x, parameters[f"{name}/kernel"], parameters[f"{name}/bias"], **options
        )

    def same(x, name):
        return F.relu(layer(x, name, padding="same"))

    def double(x, name):
        return F.relu(layer(x, name, F.conv_transpose2d, stride=2, padding=1))

    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))

    def network(image, context):
        image = (image - mean) / std
        columns = []
        for number, column in enumerate(config.Model().columns, start=1):
            x = image
            for depth in range(1, len(column) + 1):
                x = same(x, f"dme/column{number}_conv{depth}")
                x = F.max_pool2d(x, 2) if depth <= 2 else x
            columns.append(x)
        x = torch.cat([*columns, context], dim=1)
        x = double(same(same(x, "fcnn/conv1"), "fcnn/conv2"), "fcnn/t1")
        x = double(same(x, "fcnn/conv3"), "fcnn/t2")
        return layer(x, "fcnn/conv4") / MODEL.density_scale

    return parameters, network


def torch_calls(weights, batch, layout, *, compiled=False):
    """`() -> density` and `() -> loss` in PyTorch."""
    parameters, network = twin(weights, layout)
    network = torch.compile(network) if compiled else network
    image, context, density = (
        torch.tensor(batch[name]).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        for name in ("image", "context", "density")
    )
    optimiser = torch.optim.Adam(parameters.values(), lr=RATE)

    @torch.no_grad()
    def forward():
        return network(image, context).permute(0, 2, 3, 1).numpy()

    def training():
        optimiser.zero_grad()
        value = ((100 * (network(image, context) - density)) ** 2).mean()
        value.backward()
        optimiser.step()
        return value.detach().numpy()

    return forward, training


def contenders(weights, batch, *, train, with_compiled):
    """Everything there is to time, by name."""
    ours = jax_training if train else jax_forward
    layouts = {
        REFERENCE: dict(layout=torch.channels_last),
        "torch contiguous": dict(layout=torch.contiguous_format),
    }
    if with_compiled:
        layouts["torch.compile"] = dict(layout=torch.channels_last, compiled=True)
    calls = {
        name: torch_calls(weights, batch, **options)[train]
        for name, options in layouts.items()
    }
    return calls | {"cpcnn_jax": ours(weights, batch)}


def agree(calls, *, times):
    """Every contender computes the same, the training after some steps of Adam too.

    Losses are compared one by one, densities by their largest value.

    Raises:
      SystemExit: one does not; nothing is timed then.
    """
    for _ in range(times):
        found = {name: call() for name, call in calls.items()}
        expected = found[REFERENCE]
        for name, value in found.items():
            for a, b in zip(*map(np.atleast_1d, (value, expected)), strict=True):
                if not np.abs(a - b).max() <= 1e-3 * np.abs(b).max():
                    text = f"{name} differs from {REFERENCE}: nothing was timed"
                    raise SystemExit(text)


def rates(seconds, operations):
    """`timing.ratios`, and the GFLOP/s that each contender reached."""
    table = timing.ratios(seconds, REFERENCE)
    for row in table.values():
        row["gflops"] = operations / row["seconds"] / 1e9
    return table


def operations(weights, batch, *, train):
    """Floating-point operations of the convolutions, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        torch_calls(weights, batch, torch.contiguous_format)[train]()
    return counter.get_total_flops()


def peak(side=3000, rounds=5):
    """GFLOP/s of a large matrix product: (JAX's, PyTorch's)."""
    a = np.random.default_rng(0).random((side, side), np.float32)
    product, there = jax.jit(jnp.matmul), jax.device_put(a, jax.devices()[0])
    tensor = torch.tensor(a)
    calls = {
        "jax": lambda: product(there, there).block_until_ready(),
        "torch": lambda: tensor.matmul(tensor),
    }
    seconds = timing.interleaved(calls, rounds + 1)  # the first compiles
    return [2e-9 * side**3 / min(times) for times in seconds.values()]


def machine(rounds):
    """Where it was measured, with what."""
    ours, theirs = peak()
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"matrix product {ours:.0f} GFLOP/s in JAX, {theirs:.0f} in PyTorch; "
        f"jax {jax.__version__}, torch {torch.__version__}, {rounds} rounds"
    )


def markdown(columns):
    """A row per contender, a column per task."""
    rows = [["time / time of torch channels_last", *columns], ["---"]]
    rows[1] += ["---:"] * len(columns)
    for name in next(iter(columns.values())):
        cells = [column[name] for column in columns.values()]
        rows.append([name])
        rows[-1] += [
            f"{c['median']:.2f} ({c['low']:.2f}-{c['high']:.2f}), "
            f"{c['seconds']:.2f} s, {c['gflops']:.0f} GFLOP/s"
            for c in cells
        ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    """Measure, print the table, add it to a JSON file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="torch.compile too (needs a C++ compiler)",
    )
    parser.add_argument("--json", metavar="FILE", help="also put the table here")
    flags = parser.parse_args()
    weights = first_weights()
    columns = {}
    for title, sizes, train in [
        ("1024 x 768, forward", (1, 768, 1024), False),
        ("8 of 256 x 192, training step", (8, 192, 256), True),
    ]:
        batch = arrays(*sizes)
        calls = contenders(weights, batch, train=train, with_compiled=flags.compile)
        agree(calls, times=3 if train else 1)
        seconds = timing.interleaved(calls, flags.rounds)
        columns[title] = rates(seconds, operations(weights, batch, train=train))
    print(markdown(columns))
    where = machine(flags.rounds)
    print(f"\n{where}")
    if flags.json:
        found = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "network", found)


if __name__ == "__main__":
    main()
