"""How fast are DME and F-CNN on a GPU, next to torch.compile and to what it can do?

    python benchmarks/networks_gpu.py [--rounds 20] [--device gpu] [--json FILE]

One 1024 x 768 photograph forward, a batch of 32 crops of 256 x 192 forward, and a
training step (loss L_E, Adam) on them, on one device, in float32 and in bfloat16,
context maps given. On a GPU float32 means that both frameworks may round to TF32 inside
products and convolutions: JAX does by itself, PyTorch only inside convolutions, so both
are told to. bfloat16 is computed as our training does (weights, biases, sums and Adam
in float32), in PyTorch by autocast. PyTorch tries several of cuDNN's algorithms, as XLA
does, and has a fused Adam; torch.compile is as it comes, for the one shape.

All contenders take turns in every round, a call ends when its result is there, and
nothing is copied to the host. What they compute is compared before anything is timed. A
cell is the median over the rounds of time / time of PyTorch's eager form with
channels_last in that round, with its quartiles, then the rate of the convolutions'
operations and its share of the peak: the larger of both frameworks' rates for a large
matrix product in that dtype. A training step is one program for both lowerings, since
derivatives always take "auto" (primitive.py). At the end each convolution of the batch
alone (gpu_layers.py).
"""

import argparse
import os
import platform

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")  # before JAX is imported
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.5")  # PyTorch needs some

import jax
import layers_gpu
import networks_cpu
import timing
import torch
import torch_twins
from image_sizes import size_of
from layers_gpu import OURS
from torch_twins import REFERENCE

from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.fcnn import FusionCNN

DTYPES = ("float32", "bfloat16")
COMPILED, LITERAL = "torch.compile", f"{OURS}, zero_insertion"
SIZE = "WIDTHxHEIGHT, multiples of 4"
LITERAL_MODEL = CPCNN(gce=None, lce=None, fcnn=FusionCNN(lowering="zero_insertion"))


def device_of(asked):
    """The "cpu" or "gpu" to measure: a GPU if not asked, where both frameworks see one.

    Raises:
      SystemExit: only one of them does, or none does and it was asked for.
    """
    sees = {
        "JAX": jax.default_backend() == "gpu",
        "PyTorch": torch.cuda.is_available(),
    }
    if asked == "cpu" or not (asked or any(sees.values())):
        return "cpu"
    for name in (name for name, seen in sees.items() if not seen):
        raise SystemExit(f"{name} sees no GPU; on the CPU: --device cpu")
    return "gpu"


def allow_tf32():
    """Both frameworks round float32 to TF32 on a GPU, and try cuDNN's algorithms."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def contenders(weights, batch, place, *, train, with_compiled):
    """Everything there is to time, by name."""

    def theirs(compiled):
        given = weights, batch, torch.channels_last, place
        return torch_twins.torch_calls(*given, compiled=compiled)[train]

    ours = torch_twins.jax_training if train else torch_twins.jax_forward
    calls = {REFERENCE: theirs(False)}
    calls |= {COMPILED: theirs(True)} if with_compiled else {}
    return calls | {
        OURS: ours(weights, batch, place),
        LITERAL: ours(weights, batch, place, model=LITERAL_MODEL),
    }


def tasks(flags):
    """What is computed: [(title, (batch, height, width), whether to train)]."""
    width, height = flags.photograph
    photograph = f"{width} x {height}", (1, height, width)
    width, height = flags.crop
    crops = f"{flags.batch} of {width} x {height}", (flags.batch, height, width)
    return [
        (f"{title}, {task}", sizes, train)
        for (title, sizes), task, train in (
            (photograph, "forward", False),
            (crops, "forward", False),
            (crops, "training step", True),
        )
    ]


def measured(calls, place, rounds):
    """Each contender's ratios, and ours to torch.compile and to the literal form.

    Args:
      calls: by name, from `contenders`.
      place: where they compute.
      rounds: at least 2.

    Returns:
      Seconds of each round by name, and `timing.ratios`' row of ours to each rival.

    Raises:
      SystemExit: they do not agree.
    """
    torch_twins.agree(calls, times=3, tolerance=torch_twins.tolerance(place))
    seconds = timing.interleaved(calls, rounds)
    rivals = [name for name in (COMPILED, LITERAL) if name in seconds]
    return seconds, {
        f"{OURS} / {rival}": timing.ratios(seconds, rival)[OURS] for rival in rivals
    }


def of_networks(weights, place, speed, flags):
    """The rows of each task, and how ours does next to its rivals, by title."""
    columns, pairs = {}, {}
    for title, sizes, train in tasks(flags):
        batch = torch_twins.arrays(*sizes)
        options = dict(train=train, with_compiled=flags.compile)
        calls = contenders(weights, batch, place, **options)
        seconds, pairs[title] = measured(calls, place, flags.rounds)
        plain = place._replace(dtype="float32")
        work = networks_cpu.operations(weights, batch, train=train, place=plain)
        columns[title] = networks_cpu.rates(seconds, work)
        for row in columns[title].values():
            row["share"] = row["gflops"] / max(speed.peaks)
    return columns, pairs


def of_layers(weights, place, speed, flags):
    """The rows of each convolution of the batch of crops, by name."""
    width, height = flags.crop
    found = layers_gpu.layers(weights, torch_twins.arrays(flags.batch, height, width))
    return {
        name: layers_gpu.measured(name, layer, place, speed, flags.rounds)
        for name, layer in found.items()
    }


def ratio(row):
    """A ratio with its quartiles."""
    return f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"


def cell(row):
    """A contender's ratio, milliseconds, TFLOP/s and share of the peak."""
    return f"{ratio(row)}, {layers_gpu.cell(row)}"


def precision(place):
    """What float32 means on a GPU."""
    tf32 = place == torch_twins.Place("gpu", "float32")
    return f"{place.dtype} (TF32 allowed in both)" if tf32 else place.dtype


def machine(device, rounds):
    """Where it was measured, with what."""
    name = platform.processor() or platform.machine()
    if device == "gpu":
        versions = torch.version.cuda, torch.backends.cudnn.version()
        name = f"{torch.cuda.get_device_name()}, PyTorch's CUDA %s, cuDNN %s" % versions
    return f"{name}; jax {jax.__version__}, torch {torch.__version__}, {rounds} rounds"


def flags_given():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rounds", type=int, default=20, help="at least 2")
    add("--device", choices=("cpu", "gpu"), help="a GPU where both frameworks see one")
    add("--photograph", type=size_of, default="1024x768", help=SIZE)
    add("--crop", type=size_of, default="256x192", help=SIZE)
    add("--batch", type=int, default=32, help="crops")
    add("--side", type=int, default=8192, help="of the matrix that gives the peak")
    add(
        "--compile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="torch.compile too (needs a C++ compiler)",
    )
    add("--json", metavar="FILE", help="also put the tables here")
    return parser.parse_args()


def main():
    """Measure, print the tables, add them to a JSON file if asked to."""
    flags = flags_given()
    device = device_of(flags.device)
    if device == "gpu":
        allow_tf32()
    weights = torch_twins.first_weights()
    where = machine(device, flags.rounds)
    parts = {"columns": {}, "pairs": {}, "layers": {}, "speeds": {}}
    for dtype in DTYPES:
        place = torch_twins.Place(device, dtype)
        speed = layers_gpu.speed_of(place, flags.side)
        columns, pairs = of_networks(weights, place, speed, flags)
        layers = of_layers(weights, place, speed, flags)
        print(f"{precision(place)}: {layers_gpu.sentence(speed)}\n")
        print(networks_cpu.markdown(columns, cell), end="\n\n")
        print(networks_cpu.markdown(pairs, ratio, "time / time"), end="\n\n")
        print(layers_gpu.markdown(layers), end="\n\n", flush=True)
        parts["speeds"][dtype] = speed._asdict()
        for name, part in dict(columns=columns, pairs=pairs, layers=layers).items():
            parts[name] |= {f"{title}, {dtype}": rows for title, rows in part.items()}
    print(where)
    if flags.json:
        timing.write(flags.json, "gpu", dict(where=where, rounds=flags.rounds) | parts)


if __name__ == "__main__":
    main()
