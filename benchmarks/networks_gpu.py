"""Speed of DME and F-CNN on a GPU against PyTorch, torch.compile and the GPU's peak.

    python benchmarks/networks_gpu.py [--rounds 20] [--device gpu] [--json FILE]

Tasks: one 1024 x 768 image forward, a batch of 32 crops of 256 x 192 forward, and a
training step (loss L_E, Adam) on them, on one device, in float32 and in bfloat16, with
given context maps. On a GPU both frameworks may round float32 to TF32 in products and
convolutions. bfloat16 is computed as in our training (weights, biases, sums and Adam in
float32), in PyTorch by autocast. PyTorch tries several cuDNN algorithms, as XLA does,
and uses a fused Adam; torch.compile has its default options and a static shape.

All contenders take turns in every round. A call waits for its result and leaves it on
the device. The results are compared before the timing. A cell is the ratio to the time
of eager PyTorch with channels_last in the same round (median and quartiles), the rate
of the convolutions' operations and its share of the peak. The peak is the larger rate
of both frameworks for a large matrix product in that dtype. Further tables hold the
forms that were written for CPUs (forms_gpu.py) and each convolution of the batch alone
(layers_gpu.py).

With --json FILE.json all tables are also written to that file and to FILE.md after
every task, so that an interrupted run leaves what it has measured.
"""

import argparse
import functools
import os
import platform
import sys
from pathlib import Path

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")  # before JAX is imported
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.5")  # for PyTorch, too

import forms_gpu
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

DTYPES = ("bfloat16", "float32")
COMPILED, LITERAL = "torch.compile", f"{OURS}, zero_insertion"
SIZE = "WIDTHxHEIGHT, multiples of 4"
LITERAL_MODEL = CPCNN(gce=None, lce=None, fcnn=FusionCNN(lowering="zero_insertion"))


def device_of(asked):
    """Chooses "cpu" or "gpu"; by default the GPU, if both frameworks find one.

    Raises:
      SystemExit: a GPU was requested or found, but not by both frameworks.
    """
    finds_gpu = {
        "JAX": jax.default_backend() == "gpu",
        "PyTorch": torch.cuda.is_available(),
    }
    if asked == "cpu" or not (asked or any(finds_gpu.values())):
        return "cpu"
    for name in (name for name, found in finds_gpu.items() if not found):
        raise SystemExit(f"{name} finds no GPU; on the CPU: --device cpu")
    return "gpu"


def allow_tf32():
    """Lets both frameworks round float32 to TF32 and try cuDNN's algorithms."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def contenders(weights, batch, place, *, train, with_compiled):
    """Makes all timed calls, by name."""

    def torch_call(compiled):
        arguments = weights, batch, torch.channels_last, place
        return torch_twins.torch_calls(*arguments, compiled=compiled)[train]

    jax_call = torch_twins.jax_training if train else torch_twins.jax_forward
    calls = {REFERENCE: torch_call(False)}
    calls |= {COMPILED: torch_call(True)} if with_compiled else {}
    return calls | {
        OURS: jax_call(weights, batch, place),
        LITERAL: jax_call(weights, batch, place, model=LITERAL_MODEL),
    }


def tasks(flags):
    """Lists the tasks as (title, (batch, height, width), train)."""
    width, height = flags.photograph
    photograph = f"{width} x {height}", (1, height, width)
    width, height = flags.crop
    crops = f"{flags.batch} of {width} x {height}", (flags.batch, height, width)
    return [
        (f"{title}, {task}", sizes, train)
        for (title, sizes), task, train in (
            (crops, "training step", True),
            (crops, "forward", False),
            (photograph, "forward", False),
        )
    ]


def measured(calls, place, rounds):
    """Times all contenders.

    Args:
      calls: timed calls by name, from `contenders`.
      place: device and dtype.
      rounds: at least 2.

    Returns:
      Seconds of each round by name, and the rows of `timing.ratios` of cpcnn_jax to
      torch.compile and to the zero-insertion lowering.

    Raises:
      SystemExit: the results differ.
    """
    torch_twins.agree(calls, times=3, tolerance=torch_twins.tolerance(place))
    seconds = timing.interleaved(calls, rounds)
    rivals = [name for name in (COMPILED, LITERAL) if name in seconds]
    return seconds, {
        f"{OURS} / {rival}": timing.ratios(seconds, rival)[OURS] for rival in rivals
    }


def compared(weights, batch, place, train, flags):
    """Measures the contenders of a task, without torch.compile where it fails.

    It needs a compiler and headers that a machine may not have.
    """
    options = dict(train=train, with_compiled=flags.compile)
    try:
        calls = contenders(weights, batch, place, **options)
        return measured(calls, place, flags.rounds)
    except Exception as error:
        if not flags.compile:
            raise
        reason = str(error).strip().partition("\n")[0]
        print(f"left out, because it fails: {COMPILED}: {reason}", file=sys.stderr)
        flags.compile = False
        return compared(weights, batch, place, train, flags)


def measurements(weights, device, flags):
    """Yields the measurements, most valuable first: (title, function of the tables)."""
    width, height = flags.crop
    forms, speeds = forms_gpu.forms(height, width), {}
    places = [torch_twins.Place(device, dtype) for dtype in DTYPES]

    def measurement(title, place, function, *args):
        title = f"{title}, {place.dtype}"
        return title, functools.partial(function, title, place, *args, flags)

    for place in places:
        yield measurement("peak", place, add_speed, speeds)
        for title, *task in tasks(flags) if "networks" in flags.tables else ():
            yield measurement(title, place, add_network, speeds, weights, task)
        for title, form in forms.items() if "forms" in flags.tables else ():
            yield measurement(title, place, add_form, form)
    layers = layers_gpu.layers(weights, torch_twins.arrays(flags.batch, height, width))
    for place in places if "layers" in flags.tables else ():
        for title, layer in layers.items():
            yield measurement(title, place, add_layer, speeds, layer)


def add_speed(title, place, speeds, flags, tables):
    """Measures the peak rates of the device."""
    speeds[place] = layers_gpu.speed_of(place, flags.side)
    tables["speeds"][place.dtype] = speeds[place]._asdict()


def add_network(title, place, speeds, weights, task, flags, tables):
    """Measures a task: the rows of its contenders and its pairs of contenders."""
    sizes, train = task
    batch = torch_twins.arrays(*sizes)
    seconds, pairs = compared(weights, batch, place, train, flags)
    tables["pairs"][title] = pairs
    plain = place._replace(dtype="float32")
    work = networks_cpu.operations(weights, batch, train=train, place=plain)
    rows = networks_cpu.rates(seconds, work)
    for row in rows.values():
        row["share"] = row["gflops"] / max(speeds[place].peaks)
    tables["columns"][title] = rows


def add_form(title, place, form, flags, tables):
    """Measures a form that was written for CPUs."""
    tables["forms"][title] = forms_gpu.measured(form, place, flags.rounds, flags.batch)


def add_layer(title, place, speeds, layer, flags, tables):
    """Measures a convolution alone."""
    row = layers_gpu.measured(
        title.partition(",")[0], layer, place, speeds[place], flags.rounds
    )
    tables["layers"][title] = row


def ratio(row):
    """Formats a ratio with its quartiles."""
    return f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"


def cell(row):
    """Formats a ratio, the milliseconds, the TFLOP/s and the share of the peak."""
    return f"{ratio(row)}, {layers_gpu.cell(row)}"


def precision(place):
    """Describes the precision of the place's dtype."""
    tf32 = place == torch_twins.Place("gpu", "float32")
    return f"{place.dtype} (TF32 allowed in both)" if tf32 else place.dtype


def machine(device):
    """Describes the device and the versions."""
    name = platform.processor() or platform.machine()
    if device == "gpu":
        versions = torch.version.cuda, torch.backends.cudnn.version()
        name = f"{torch.cuda.get_device_name()}, PyTorch's CUDA %s, cuDNN %s" % versions
    return f"{name}; jax {jax.__version__}, torch {torch.__version__}"


def flags_given():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rounds", type=int, default=20, help="at least 2")
    add("--device", choices=("cpu", "gpu"), help="default: a GPU that both find")
    add("--photograph", type=size_of, default="1024x768", help=SIZE)
    add("--crop", type=size_of, default="256x192", help=SIZE)
    add("--batch", type=int, default=32, help="number of crops")
    add("--side", type=int, default=8192, help="of the matrix for the peak")
    add(
        "--compile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also time torch.compile (needs a C++ compiler)",
    )
    names = ("networks", "forms", "layers")
    add("--tables", nargs="+", choices=names, default=names, help="default: all")
    add("--json", metavar="FILE", help="also write the tables here")
    return parser.parse_args()


def report(tables, device):
    """Formats all tables as Markdown, those of each dtype together."""
    sections = [f"{tables['where']}, {tables['rounds']} rounds"]
    for dtype, rates in tables["speeds"].items():
        place, speed = torch_twins.Place(device, dtype), layers_gpu.Speed(**rates)
        sections.append(f"{precision(place)}: {layers_gpu.sentence(speed)}")
        for name, markdown in (
            ("columns", lambda rows: networks_cpu.markdown(rows, cell)),
            ("pairs", lambda rows: networks_cpu.markdown(rows, ratio, "time / time")),
            ("forms", forms_gpu.markdown),
            ("layers", layers_gpu.markdown),
        ):
            rows = {
                title.removesuffix(f", {dtype}"): row
                for title, row in tables[name].items()
                if title.endswith(dtype)
            }
            sections += [markdown(rows)] if rows else []
    return "\n\n".join([*sections, *tables["failed"]]) + "\n"


def save(file, tables, text):
    """Writes the tables to a JSON file and the text beside it."""
    timing.write(file, "gpu", tables)
    timing.replace_text(Path(file).with_suffix(".md"), text)


def main():
    """Measures, prints the tables and optionally writes them to files."""
    flags = flags_given()
    device = device_of(flags.device)
    if device == "gpu":
        allow_tf32()
    weights = torch_twins.first_weights()
    tables = {"where": machine(device), "rounds": flags.rounds, "failed": []}
    tables |= {name: {} for name in ("columns", "pairs", "forms", "layers", "speeds")}
    for title, measure in measurements(weights, device, flags):
        try:
            measure(tables)
        except SystemExit as error:  # the contenders differ
            tables["failed"].append(f"{title}: {error}")
        if flags.json:
            save(flags.json, tables, report(tables, device))
    print(report(tables, device))
    if tables["failed"]:
        sys.exit("; ".join(tables["failed"]))


if __name__ == "__main__":
    main()
