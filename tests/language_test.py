"""Language rules that a program can check, over code, tests, README and documentation.

The rules and the old names come from the design of version 0.2. Each test lists every
place that breaks its rule.
"""

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path
    for place in ("cpcnn_jax", "tests", "benchmarks", "experiments", "docs")
    for path in (ROOT / place).rglob("*.py")
    if path != Path(__file__)
) + [ROOT / "launch.py"]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "docs").glob("*.ipynb")),
    *sorted((ROOT / "cpcnn_jax").rglob("*.md")),
]
# Pages that may keep old names, because they tell the history.
HISTORY = {ROOT / "CHANGELOG.md", ROOT / "docs" / "lab_notes.md"}
README_WORDS = 1200

FIRST_WORDS = {"What", "Where", "How", "Of", "Who", "Which", "Why", "Whose", "When"}
PHRASES = (
    r"likewise",
    r"see above",
    r"as above",
    r"as of(?! version)",
    r"gone on from",
    r"(?:learn|learns|learned|learnt) by heart",
    r"(?:is|are|was|were|be|been) asked for",
    r"(?:is|are|was|were|be|been) told",
)
BRITISH = (
    "colour centre neighbour behaviour favour honour initialis optimis normalis "
    "summaris recognis licence analys(?=e) labelled"
).split()

# Fields of version 0.1, with the section that they were in; * is any section.
OLD_FIELDS = {
    "config": "start taken unit save_every pictures true_counts mcnn",
    "validation": "every share",
    "crops": "plain changed patches changed_patches fraction multiple zoom colour "
    "noise",
    "target": "kernel metres",
    "model": "global_context local_context fusion classes columns lce_side lce_head "
    "local_stride transposed_kernel gce_head vgg_width",
    "gce": "vgg16 trainable_from prior",
    "lce": "trainable_from prior",
    "density": "cells average expected dme_rate",
    "adversary": "discriminator_width",
    "data": "on_bad",
    "*": "warmup accumulate vgg_rate",
}
# Fields that no other thing is called by.
OLD_WORDS = (
    "changed_patches gce_head lce_head lce_side local_stride on_bad save_every "
    "trainable_from true_counts vgg_rate dme_rate"
).split()
OLD_CODE = (
    r"config\.Crowd\b",
    r"config\.Photographs\b",
    r"--mode[= ]search\b",
    r"cpcnn_jax (?:vgg16|csrnet|mcnn)\b",
    r"--(?:every|tile|curve|queue|beside|checkpoint)(?![\w-])",
    r"--max_(?:side|body)\b",
    r"\b(?:Rivals|Judge|Watch|Silence)\b",
    r"\b(?:gradients|listing|baselines)\.of\b",
    r"\baveraged\.kept\b",
    r"`Due`|\bclass Due\b",
)
# Files of version 0.1 that moved, by the folder that they were in.
OLD_FILES = {
    "benchmarks/": """
    adversary.py compare.py context.py density.py gpu.py gpu_layers.py network.py
    serve.py sizes.py twins.py
    """,
    "cpcnn_jax/": """
    arithmetic.py audit.py averaged.py baselines.py batch.py cache.py carried.py
    check_data.py check_density.py checkerboard.py checkpoint.py clock.py cluster.py
    compare.py config.py config_data.py context_stages.py converters/__init__.py
    converters/canonical.py converters/flax.py converters/keras.py
    converters/onnx.py converters/torch.py count.py counter.py
    data/annotations/dots.py data/annotations/marks.py data/annotations/table.py
    data/builder.py data/cleaned.py data/crowd.py data/drawing.py data/examples.py
    data/faults.py data/folder.py data/foreign.py data/foreign_maps.py data/frame.py
    data/held_out.py data/intact.py data/jhu_crowd.py data/layouts.py
    data/listing.py data/mall.py data/nwpu_crowd.py data/paired.py data/pipeline.py
    data/prepared.py data/shanghaitech.py data/ucf_cc_50.py data/ucf_qnrf.py
    data/world_expo.py density.py density_files.py doctor.py document.py evaluate.py
    expected.py explain/bitmap.py explain/code.py explain/command.py
    explain/trained.py explain/words.js explain/words.py export/axes.py
    export/command.py export/graph.py export/networks.py export/onnx.py files.py
    film.py film_count.py finer.py finite.py flops.py folders.py
    foreign_weights/__init__.py foreign_weights/command.py foreign_weights/csrnet.py
    foreign_weights/lpips.py foreign_weights/mcnn.py foreign_weights/naming.py
    foreign_weights/torch_file.py foreign_weights/vgg16.py frozen.py geometry.py
    gradients.py grown.py hdf5.py initial.py initializers.py interrupt.py kernels.py
    layers.py log.py look.css losses.py lowerings.py map_stages.py
    metrics/__init__.py metrics/counts.py metrics/maps.py models/banded.py
    models/context.py models/fast.py models/heads.py narrow.py parallel.py parser.py
    photograph.py predictions.py primitive.py processes.py regions.py
    released/__init__.py released/command.py released/cpcnn_plus.md
    released/cpcnn_plus.safetensors released/cpcnn_plus_around.md
    released/cpcnn_plus_around.safetensors released/cpcnn_plus_context.md
    released/cpcnn_plus_context.safetensors released/hub.py
    released/shanghaitech_a.md released/shanghaitech_a.safetensors
    released/shanghaitech_a_longer.md released/shanghaitech_a_longer.safetensors
    released/slim.py report/__init__.py report/chart.py report/command.py
    report/curves.py report/film.py report/gallery.py report/levels.py
    report/numbers.py report/origin.py report/overlay.py report/page.css
    report/page.html report/page.js report/page.py report/photographs.py
    report/pictures.py report/protocol.py report/published.py report/results.py
    report/run.py report/scatter.py report/table.py scores.py selection.py
    serve/answer.py serve/command.py serve/line.py serve/monitor.py serve/upload.py
    stages.py steps.py sweep.py tiles.py train.py uncertainty.py validate.py
    weights.py windows.py workdir.py
    """,
    "tests/": """
    annotations_test.py arithmetic_test.py around_test.py banded_test.py
    baselines_test.py benchmarks_test.py builders_test.py cache_test.py
    check_data_test.py check_density_test.py checkerboard_test.py checkpoint_test.py
    clock_test.py cluster_test.py compare_test.py config_test.py
    context_stages_test.py converters_test.py count_test.py counter_test.py
    counts_test.py crowd_test.py csrnet_test.py defects_test.py
    density_files_test.py density_test.py doctor_test.py document_test.py
    evaluate_test.py evaluated.py examples_test.py expected_test.py
    explain_browser_test.py explain_test.py export_test.py export_web_test.py
    fast_test.py files_test.py film_count_test.py film_test.py finer_test.py
    finite_test.py flops_test.py folder_test.py folders_test.py foreign_maps_test.py
    foreign_test.py frame_test.py frozen_test.py gpu_benchmark_test.py grey.py
    grown_test.py hdf5_test.py held_out_test.py initializers_test.py intact_test.py
    interpolated.py interrupt_test.py kernels_test.py killed_test.py layers_test.py
    log_test.py losses_test.py lowerings_test.py maps_test.py markup.py mcnn_test.py
    models_test.py mutants.py onnxruntime_web.mjs overlay_test.py
    photograph_fuzz_test.py photograph_test.py pipeline_test.py predictions_test.py
    prepared_test.py primitive_test.py processes_test.py protocol_test.py
    regions_test.py released_test.py report_browser_test.py report_test.py
    scores_test.py selection_test.py serve_app_test.py serve_browser_test.py
    serve_test.py served.py shanghaitech_test.py slurm.py steps_test.py
    sweep_test.py tiles_test.py tiny.py torch_file_test.py train_test.py
    uncertainty_test.py validate_test.py vgg16_test.py weights_test.py
    windows_test.py workdir_test.py
    """,
}


def relative(path):
    return path.relative_to(ROOT).as_posix()


def docstrings(path):
    """(line, docstring) of a file's module, classes and functions."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def comments(path):
    """(line, comment) of a file; comments on consecutive lines are one."""
    blocks = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            line, text = token.start[0], token.string.lstrip("# ")
            if blocks and blocks[-1][0] + len(blocks[-1][1]) == line:
                blocks[-1][1].append(text)
            else:
                blocks.append((line, [text]))
    return [(line, " ".join(texts)) for line, texts in blocks]


def paragraphs(path):
    """(line, paragraph) of a page."""
    line = 1
    for text in path.read_text().split("\n\n"):
        yield line, text
        line += text.count("\n") + 2


@functools.cache
def prose():
    """[(file, line, text)] of all docstrings, comments and pages."""
    found = [(p, *text) for p in CODE for text in (*docstrings(p), *comments(p))]
    found += [(p, *text) for p in PAGES for text in paragraphs(p)]
    return [(path, line, " ".join(text.split())) for path, line, text in found]


def test_docstrings_begin_with_a_verb_or_a_noun():
    wrong = [
        f"{relative(path)}:{line}: {text.splitlines()[0]}"
        for path in CODE
        for line, text in docstrings(path)
        if re.match(r"\w*", text)[0] in FIRST_WORDS
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrase_is_not_used(phrase):
    pattern = re.compile(rf"\b{phrase}\b", re.IGNORECASE)
    wrong = [
        f"{relative(path)}:{line}: ...{text[max(found.start() - 30, 0) :][:90]}"
        for path, line, text in prose()
        for found in pattern.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


def identifiers(path):
    """(line, name) of all that a file defines or assigns."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def test_identifiers_have_us_spelling():
    pattern = re.compile("|".join(BRITISH), re.IGNORECASE)
    wrong = [
        f"{relative(path)}:{line}: {name}"
        for path in CODE
        for line, name in identifiers(path)
        if pattern.search(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_readme_is_short():
    words = len((ROOT / "README.md").read_text().split())
    assert words <= README_WORDS


def old_fields():
    """The expression that finds fields of version 0.1, as flags or with sections."""
    for section, names in OLD_FIELDS.items():
        choice = "|".join(names.split())
        before = r"\w+" if section == "*" else section
        if section == "config":
            yield rf"\bconfig\.(?:{choice})\b(?!\.\w|\()"
        elif section == "*":
            yield rf"--config\.{before}\.(?:{choice})\b"
        else:
            yield rf"(?<![\w.]){before}\.(?:{choice})\b(?!\.\w|\()"
            yield rf"\bconfig\.{before}\.(?:{choice})\b"
    yield rf"\b(?:{'|'.join(OLD_WORDS)})\b"


def old_files():
    """The expressions that find paths and module names of version 0.1."""
    now = {path.name for folder in OLD_FILES for path in (ROOT / folder).rglob("*.*")}
    for folder, names in OLD_FILES.items():
        paths = [name for name in names.split() if not (ROOT / folder / name).exists()]
        choice = "|".join(map(re.escape, paths))
        yield rf"\b{folder}(?:{choice})(?![\w/])"
        inner = [re.escape(path) for path in paths if "/" in path]
        if inner:
            yield rf"(?<![\w/])(?:{'|'.join(inner)})(?![\w/])"
        bare = [re.escape(p) for p in paths if "/" not in p and p not in now]
        yield rf"(?<![\w/.-])(?:{'|'.join(bare)})(?![\w/])"
    modules = [
        name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        for name in OLD_FILES["cpcnn_jax/"].split()
        if name.endswith(".py")
    ]
    kept = {"arithmetic", "converters"}  # still importable by these names
    gone = [
        re.escape(name)
        for name in modules
        if name not in kept
        and not (ROOT / "cpcnn_jax" / name.replace(".", "/")).is_dir()
        and not (ROOT / "cpcnn_jax" / f"{name.replace('.', '/')}.py").exists()
        and not name.startswith("converters.")
    ]
    yield rf"\bcpcnn_jax\.(?:{'|'.join(gone)})\b"
    yield rf"\bfrom cpcnn_jax import (?:\w+, )*(?:{'|'.join(gone)})\b"


@pytest.mark.parametrize(
    "patterns",
    [old_fields, old_files, lambda: OLD_CODE],
    ids=["fields", "files", "code"],
)
def test_no_name_of_version_0_1_is_left(patterns):
    pattern = re.compile("|".join(patterns()))
    wrong = [
        f"{relative(path)}:{number}: {found[0]}"
        for path in sorted({*CODE, *PAGES, ROOT / "Makefile", ROOT / "setup.cfg"})
        if path not in HISTORY
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for found in pattern.finditer(line)
    ]
    assert not wrong, "\n".join(wrong)
