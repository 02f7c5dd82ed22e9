"""Ten questions of the documentation: the page's own words answer each of them."""

import html
import re
from pathlib import Path

import pytest

from cpcnn_jax.io.html import read_part
from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer

ROOT = Path(__file__).parents[2]
# For each question: {step: phrases of its words that hold the answer}.
EVIDENCE = [
    {3: ["inserts s − 1 zeros between neighboring inputs", "always with stride 1"],
     4: ["The grid gets k − 1 − p cells on every side"]},
    {3: ["One move of the kernel is now 1/s of the distance between two inputs"]},
    {4: ["The output size is s(i − 1) + a + k − 2p"]},
    {4: ["a larger p gives less padding here and a smaller output"]},
    {4: ["inputs of size 5 and of size 6 both give 3 outputs",
         "Output padding a decides"]},
    {5: ["multiplies by the transposed matrix Cᵀ",
         "its value times the flipped kernel"]},
    {5: ["The gradient of a convolution with respect to its input is this layer"]},
    {6: ["it would return z from C z", "returns the shape of z and not its values"]},
    {7: ["the outputs are 1, 2 and 4", "this pattern is a checkerboard",
         "take a k that s divides", "bilinear kernel is an even start",
         "resize the image first, and then convolve with stride 1"]},
    {8: ["doubles the size exactly: 2(i − 1) + 4 − 2 = 2i",
         "each output inside the border gets 2 × 2 of the 16 products"]},
]  # fmt: skip


def read_steps():
    """The words of each step, as one line of text; the introduction is the first."""
    page = read_part("cpcnn_jax.explain", "tour.html")
    items = re.findall(r"<li.*?</li>", page, re.S)
    plain = (html.unescape(re.sub(r"<[^>]+>", "", item)) for item in items)
    return [" ".join(text.split()) for text in plain]


def read_list(title):
    """The numbered items of a section of docs/layer.md, each as one line."""
    page = (ROOT / "docs" / "layer.md").read_text()
    section = re.split(r"^#", page.split(f"# {title}\n")[1], flags=re.M)[0]
    items = re.split(r"^\d+\. ", section, flags=re.M)[1:]
    return [" ".join(item.split()) for item in items]


def test_every_question_has_its_answer():
    questions, answers = read_list("Ten questions"), read_list("Answers")
    assert len(questions) == len(answers) == len(EVIDENCE) == 10
    assert all(question.endswith("?") for question in questions)


@pytest.mark.parametrize("number", range(1, 11))
def test_the_page_answers(number):
    steps, answer = read_steps(), read_list("Answers")[number - 1]
    assert len(steps) == 9
    named = re.search(r"\(Steps? (\d)(?: and (\d))?\)", answer)
    assert {int(n) for n in named.groups() if n} == EVIDENCE[number - 1].keys()
    for step, phrases in EVIDENCE[number - 1].items():
        for phrase in phrases:
            assert phrase in steps[step]


def test_computed_answers():
    answers = read_list("Answers")
    size = arithmetic.output_size(4, Layer(3, 2, 1, transposed=True))
    assert answers[2].startswith(f"{size}: ")
    layer = Layer(4, 2, 1, transposed=True)
    assert all(arithmetic.output_size(i, layer) == 2 * i for i in range(1, 50))
    assert {len(arithmetic.taps(o, layer)) for o in range(9)} == {2}  # in each axis
    ones = Layer(3, 2, 1, transposed=True)
    counts = {len(arithmetic.taps(o, ones)) for o in range(9)}
    assert {a * b for a in counts for b in counts} == {1, 2, 4}
