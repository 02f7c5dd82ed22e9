"""Pictures of the layer in the released network: recomputed from its weights."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cpcnn_jax.cli.explain import main
from cpcnn_jax.cli.explain_released_layer import compute_pictures
from cpcnn_jax.explain import released_layer_pictures

ROOT = Path(__file__).parents[2]
CROWD = ROOT / "docs" / "crowd.jpg"
CORNER = (320, 400)  # top and left of the part of the bundled pictures


def test_bundled_pictures_are_those_of_the_network():
    """Equal within rounding; no photograph of a data set is in the repository."""
    computed = compute_pictures(CROWD, CORNER)
    bundled = released_layer_pictures.load_bundled()
    for name in released_layer_pictures.NAMES:
        ours, theirs = getattr(computed, name), getattr(bundled, name)
        assert ours.shape == theirs.shape
        difference = np.abs(ours.astype(int) - theirs)
        assert difference.mean() < 0.5 and np.quantile(difference, 0.99) <= 4, name
    with Image.open(CROWD) as image:
        part = image.convert("RGB").crop((400, 320, 560, 448))
    np.testing.assert_array_equal(bundled.image, np.asarray(part))


def test_output_is_the_layer_of_its_input():
    """The colored channels of the output, recomputed by PyTorch from the input."""
    torch = pytest.importorskip("torch")
    from cpcnn_jax.cli import explain_released_layer
    from cpcnn_jax.weights import pretrained

    pixels = np.random.default_rng(0).random((128, 160, 3), np.float32)
    before, after, density = explain_released_layer._run_network(pixels)
    params = pretrained.load_params(pretrained.DEFAULT)
    kernel = params["fcnn/t1/kernel"][::-1, ::-1].transpose(2, 3, 0, 1).copy()
    expected = torch.nn.functional.conv_transpose2d(
        torch.tensor(before).permute(2, 0, 1)[None],
        torch.tensor(kernel),
        torch.tensor(params["fcnn/t1/bias"]),
        stride=2,
        padding=1,
    )[0].permute(1, 2, 0)
    np.testing.assert_allclose(after, expected.relu().numpy(), atol=1e-3)
    assert density.shape == (128, 160)


def test_features_at_the_heads_have_color():
    pictures = released_layer_pictures.load_bundled()
    assert pictures.before.shape == (32, 40, 3)  # at least 24x24 cells
    assert pictures.after.shape == (64, 80, 3)
    for features in (pictures.before, pictures.after):
        colors = features.max(-1).astype(int) - features.min(-1)
        assert (colors > 60).mean() > 0.03


def test_page_of_an_own_image(tmp_path):
    path = tmp_path / "page.html"
    words = ["--image", str(CROWD), "--input", "4x4", "--out", str(path)]
    assert main(words) == 0
    default = tmp_path / "default.html"
    main(["--input", "4x4", "--out", str(default)])
    parts = [p.read_text().split("data:image/png;base64,")[1] for p in (path, default)]
    assert parts[0][:4000] != parts[1][:4000]  # the center, not the bundled part


def test_image_that_is_too_small_is_refused(tmp_path, capsys):
    Image.new("RGB", (150, 200)).save(tmp_path / "a.png")
    words = ["--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "a.html")]
    with pytest.raises(SystemExit):
        main(words)
    error = capsys.readouterr().err
    assert "a.png has 150x200 pixels: the page shows 160x128" in error
    assert not (tmp_path / "a.html").exists()
