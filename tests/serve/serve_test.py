"""Server in its own process: answers, rejections, load, damaged images."""

import base64
import io
import json
from pathlib import Path

import corrupted_images
import jsonschema
import numpy as np
import pytest
import server_process
from benchmark_modules import module
from image_bombs import bomb
from PIL import Image, features

import cpcnn_jax as cp
from cpcnn_jax import __main__ as commands
from cpcnn_jax.cli import extras, serve
from cpcnn_jax.inference import people, regions
from cpcnn_jax.serve import examples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return server_process.weights_file(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def ready(file):
    return cp.load(file)


@pytest.fixture(scope="module")
def address(file):
    with server_process.running(
        file, "--max-queue", "4", "--max-body", "1", "--timeout", "300"
    ) as address:
        yield address


@pytest.fixture(scope="module")
def schema(address):
    """Makes a function that checks an answer against /openapi.json."""
    status, _, text = server_process.ask(address, "GET", "/openapi.json")
    document = json.loads(text)
    assert status == 200

    def check(name, answer):
        component = {"$ref": f"#/components/schemas/{name}", **document}
        jsonschema.Draft202012Validator(component).validate(answer)
        return document

    return check


def crowd(height=80, width=100, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image, kind="png", **options):
    data = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(data, kind, **options)
    return data.getvalue()


# --- answers ---


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_answer_equals_the_library(address, ready, schema, kind):
    data = saved(crowd(), kind)
    expected = ready.count(io.BytesIO(data))
    texts = ("left=0,0;50,0;50,80;0,80", "a b=99.5,0;100,80;3,40")
    fields = [("region", text) for text in texts]
    status, answer = server_process.count(address, data, "square.x", fields)
    assert status == 200, answer
    schema("Count", answer)
    assert answer["file"] == "square.x" and answer["notes"] == []
    assert (answer["width"], answer["height"]) == (100, 80)
    np.testing.assert_allclose(answer["count"], expected.count, rtol=1e-5)
    assert "points" not in answer
    ends = [answer["low"], answer["high"]]
    np.testing.assert_allclose(ends, [expected.low, expected.high], rtol=1e-4)
    for text in texts:
        region = regions.parse_region(text)
        people = regions.count_region(expected.density, region)
        np.testing.assert_allclose(answer["regions"][region.name], people, rtol=1e-4)


def test_map_is_sent_in_both_formats(address, ready, schema):
    data = saved(crowd())
    expected = ready.count(io.BytesIO(data)).density
    fields = [("density", "npy"), ("density", "png")]
    status, answer = server_process.count(address, data, fields=fields)
    assert status == 200
    schema("Count", answer)
    density = answer["density"]
    assert (density["height"], density["width"]) == expected.shape
    numbers = np.load(io.BytesIO(base64.b64decode(density["npy"])))
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers, expected, rtol=1e-4, atol=1e-7)
    with Image.open(io.BytesIO(base64.b64decode(density["png"]))) as image:
        levels = np.asarray(image)
    assert levels.dtype == np.uint16
    shown = density["offset"] + density["scale"] * levels
    np.testing.assert_allclose(shown, numbers, atol=0.51 * density["scale"])


def test_heads_are_sent_on_request(address, ready, schema):
    data = saved(crowd())
    for value, sent in (("true", True), ("false", False)):
        status, answer = server_process.count(address, data, fields=[("points", value)])
        assert status == 200 and ("points" in answer) is sent
        schema("Count", answer)
        if sent:
            points = np.reshape(answer["points"], (-1, 2))
            expected = ready.count(io.BytesIO(data)).points
            np.testing.assert_allclose(points, expected, atol=0.06)
    status, answer = server_process.count(address, data, fields=[("points", "yes")])
    assert (status, answer["error"]) == (400, "points: expected true or false")


def test_other_routes(address, file, schema):
    schema("Health", server_process.health(address))
    assert server_process.health(address)["weights"] == str(file)
    assert server_process.metric(address, "cpcnn_line_places") == 4
    assert server_process.metric(address, "process_resident_memory_bytes") > 1e8
    status, _, text = server_process.ask(address, "GET", "/examples/1.jpg")
    with Image.open(io.BytesIO(text)) as image:
        assert (status, image.size) == (200, (640, 480))
    for method, path, code in (
        ("GET", "/examples/3.jpg", 404),
        ("GET", "/nothing", 404),
        ("GET", "/count", 405),
    ):
        status, _, text = server_process.ask(address, method, path)
        assert status == code
        schema("Refused", json.loads(text))


def test_schema_has_every_field_and_status(schema, address):
    document = schema("Health", server_process.health(address))
    post = document["paths"]["/count"]["post"]
    content = post["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(content["properties"]) == {
        *("photograph", "region", "density", "points")
    }
    codes = {"200", "400", "408", "413", "415", "500", "503", "504"}
    assert set(post["responses"]) == codes


# --- users' own images ---


def unusual():
    """Lists (name, file, notes)."""
    image = Image.fromarray(crowd())
    frames = dict(save_all=True, append_images=[image.rotate(180)], lossless=True)
    levels = np.random.default_rng(0).integers(0, 65536, (70, 90), dtype=np.uint16)
    note = "a.webp has 2 frames: the first is counted"
    return [
        ("cmyk.jpg", saved(image.convert("CMYK"), "jpeg"), []),
        ("grey16.png", saved(levels), []),
        ("a.webp", saved(image, "webp", **frames), [note]),
        ("clear.png", saved(image.convert("RGBA")), []),
        ("bits.tif", saved(image.convert("1"), "tiff"), []),
    ]


@pytest.mark.parametrize("name, data, notes", unusual(), ids=lambda v: str(v)[:10])
def test_unusual_images_are_counted(address, ready, name, data, notes):
    status, answer = server_process.count(address, data, name)
    assert (status, answer["notes"]) == (200, notes)
    expected = ready.count(io.BytesIO(data)).count
    np.testing.assert_allclose(answer["count"], expected, rtol=1e-5)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_region_outside_an_avif_image_is_refused(address):
    fields = [("region", "door=0,0;101,0;5,5")]
    status, answer = server_process.count(
        address, saved(crowd(), "avif"), "a.avif", fields
    )
    assert status == 400
    assert answer["error"].startswith("a.avif: the corner 101,0 of region door lies")


def rejected():
    """Lists (name, file, fields, start of the message)."""
    good, outside = saved(crowd()), [("region", "door=0,0;101,0;5,5")]
    twice = [("region", "a=0,0;9,0;9,9")] * 2
    return [
        ("cut.jpg", saved(crowd(), "jpeg")[:-900], (), "cut.jpg is damaged: "),
        ("empty.png", b"", (), "empty.png is not a JPEG, PNG, WEBP, BMP or TIFF"),
        ("dot.png", saved(crowd(1, 1)), (), "dot.png has 1x1 pixels; the networks"),
        ("text.jpg", b"not an image", (), "text.jpg is not a JPEG, PNG"),
        ("gif.png", saved(crowd(), "gif"), (), "gif.png is not a JPEG, PNG"),
        ("wide.png", bomb(65_000, 3_000), (), "wide.png has more than 170,000,000"),
        ("line.png", saved(crowd(2, 9000)), (), "line.png has 9000x2 pixels; the net"),
        ("bomb.png", bomb(50_000, 50_000), (), "bomb.png has more than 170,000,000"),
        ("small.png", bomb(9_000, 9_000), (), "small.png is damaged: "),
        ("a.png", good, outside, "a.png: the corner 101,0 of region door lies outside"),
        ("a.png", good, [("region", "x")], "'x' is not a region: expected name=x,y"),
        ("a.png", good, twice, "region: each region needs its own name"),
        (
            "a.png",
            good,
            [("density", "jpg")],
            "density: expected npy or png, got 'jpg'",
        ),
        ("a.png", good, [("size", "3")], "the form has no field 'size': use photogr"),
        ("a.png", good, [("region", "1" * 9000)], "Part exceeded maximum size of 8KB."),
        ("a.png", good, [("region", "1")] * 65, "Too many fields."),
        (None, None, (), "the form has no file in its field photograph"),
        ("", good[:100], (), "the image is "),
        ("line\nbreak\t.png", b"x", (), "line break .png is not a JPEG"),
    ]


@pytest.mark.parametrize(
    "name, data, fields, text", rejected(), ids=lambda v: str(v)[:9]
)
def test_rejection_is_one_sentence(address, schema, name, data, fields, text):
    status, answer = server_process.count(address, data, name, fields)
    assert status == 400
    schema("Refused", answer)
    assert answer["error"].startswith(text) and "\n" not in answer["error"]
    assert server_process.health(address)["taken"] == 0


def test_video_among_images_is_sent_to_its_endpoint(address):
    name = 'a.mp4"\r\nContent-Type: video/mp4; x="'  # heads of the part, as browsers do
    status, answer = server_process.count(address, b"x", name)
    text = "a.mp4 is a video: send it to /count_video, in the field video"
    assert (status, answer) == (400, {"error": text})


def test_long_names_keep_their_ends(address):
    status, answer = server_process.count(address, b"x", "é" * 300 + ".png")
    assert status == 400
    assert answer["error"].startswith("…" + "é" * 250 + ".png is not a JPEG")


def test_requests_without_form_are_rejected(address, schema):
    for headers, body, code, text in (
        ({}, b"x", 415, "expected a form as multipart/form-data, got no content type"),
        ({"Content-Type": "image/png"}, b"x", 415, "expected a form as multipart"),
        ({"Content-Type": "multipart/form-data"}, b"x", 400, "Missing boundary"),
        (server_process.TYPE, b"x" * 50, 400, "Invalid multipart data."),
        (server_process.TYPE, b"", 400, "the form has no file"),
    ):
        status, _, answer = server_process.ask(address, "POST", "/count", body, headers)
        schema("Refused", json.loads(answer))
        assert (status, json.loads(answer)["error"][: len(text)]) == (code, text)


def test_large_body_is_rejected_with_and_without_its_length(address, schema):
    body = server_process.form(bytes(2**20))
    for sent in (body, iter([body[:400_000], body[400_000:]])):  # iterables: chunked
        status, _, answer = server_process.ask(
            address, "POST", "/count", sent, server_process.TYPE
        )
        schema("Refused", json.loads(answer))
        text = "the body has more than 1 MiB: send a smaller file"
        assert (status, json.loads(answer)["error"]) == (413, text)


# --- under load ---


def test_no_answer_is_lost_or_wrong_under_load(address, ready):
    benchmark = module("server_load")
    files = [saved(crowd(64 + 8 * n, 96, seed=n)) for n in range(4)]
    expected = [ready.count(io.BytesIO(data)).count for data in files]
    load = benchmark.send_load(address, files, expected, clients=8, requests=48)
    assert (load.lost, load.wrong) == (0, 0)
    assert len(load.seconds) == 48
    assert load.busy > 0  # four places for eight clients
    assert server_process.health(address)["taken"] == 0


@pytest.mark.parametrize(
    "number", [120, pytest.param(2400, marks=pytest.mark.nightly)], ids=str
)
def test_damaged_images_do_not_harm_the_server(address, schema, number):
    memory = []
    statuses = set()
    for n, data in enumerate(corrupted_images.generate_files(number)):
        if n % (number // 4) == 0:
            memory.append(
                server_process.metric(address, "process_resident_memory_bytes")
            )
        status, answer = server_process.count(address, data, "mutant")
        schema("Count" if status == 200 else "Refused", answer)
        statuses.add(status)
        assert status in (200, 400), answer
    memory.append(server_process.metric(address, "process_resident_memory_bytes"))
    assert statuses == {200, 400}
    assert memory[-1] - memory[1] < 200e6, memory


# --- the command ---


@pytest.mark.parametrize(
    "args, text",
    [
        (["--weights", "nowhere"], "no weights at nowhere"),
        (["--max-queue", "0"], "--max-queue: expected at least 1, got 0"),
        (["--timeout", "nan"], "--timeout: expected more than 0, got nan"),
        (["--max-body", "-1"], "--max-body: expected at least 1, got -1"),
        (["--max-video", "0"], "--max-video: expected at least 1, got 0"),
        (["--video-timeout", "0"], "--video-timeout: expected more than 0, got 0"),
        (["--max-size", "63"], "--max-size: expected at least 64, got 63"),
        (["--port", "99999"], "--port: expected 0 to 65535, got 99999"),
        (["--root-path", "crowd"], "--root-path: expected a path such as /crowd"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--quiet"], "unrecognized arguments: --quiet"),
    ],
)
def test_bad_command_lines_are_one_sentence(
    file, tmp_path, monkeypatch, capsys, args, text
):
    monkeypatch.chdir(tmp_path)
    if args and "--weights" not in args:
        args = [*args, "--weights", file]
    with pytest.raises(SystemExit) as done:
        commands.main(["serve", *map(str, args)])
    err = capsys.readouterr().err
    assert done.value.code == 2
    assert err.startswith(f"serve: {text}") and err.count("\n") == 1


def test_taken_port_is_reported(address, file, capsys):
    port = address.rpartition(":")[2]
    with pytest.raises(SystemExit):
        serve.main(["--weights", str(file), "--port", port])
    text = f"serve: cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert capsys.readouterr().err.startswith(text)


def test_public_host_is_reported(capsys):
    with serve._listen("0.0.0.0", 0) as listener:
        assert serve._format_address(listener).startswith("http://0.0.0.0:")
    err = capsys.readouterr().err
    assert err == (
        "serve: 0.0.0.0 is open to other computers, without authentication\n"
    )
    with serve._listen("127.0.0.1", 0):
        assert capsys.readouterr().err == ""


def test_missing_extra_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(extras, "missing_modules", lambda extra: ["starlette"])
    with pytest.raises(SystemExit):
        serve.main([])
    text = "serve: starlette is missing: pip install 'cpcnn_jax[serve]'"
    assert capsys.readouterr().err.startswith(text)


def test_examples_have_different_densities():
    numbers = [len(points) for points in examples.open_images().points]
    assert numbers == [167, 275, 762]


def test_examples_are_counted_within_their_ranges_and_as_the_page_of_docs_says():
    networks, counts = cp.load(), []
    for number, points in enumerate(examples.open_images().points):
        result = networks.count(io.BytesIO(examples.encode_jpeg(number)))
        assert result.low <= len(points) <= result.high
        counts.append(people.format_count(result.count, result.low, result.high))
    text = " ".join((ROOT / "docs" / "serve.md").read_text().split())
    assert f"predict {counts[0]}, {counts[1]} and {counts[2]} people" in text


@pytest.mark.parametrize(
    "flags, terminal, screen, opened",
    [
        ([], True, ":0", True),
        (["--no-browser"], True, ":0", False),
        ([], False, ":0", False),  # a service or a pipe
        ([], True, "", False),  # a text browser would take the terminal
    ],
)
def test_the_page_opens_where_a_person_is(
    file, monkeypatch, capsys, flags, terminal, screen, opened
):
    class Server:
        def run(self, sockets):
            assert bool(asked) == opened

    asked = []
    monkeypatch.setattr(serve, "_make_server", lambda *_: Server())
    monkeypatch.setattr(serve.webbrowser, "open", asked.append)
    monkeypatch.setattr(serve.sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr(serve.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert serve.main(["--weights", str(file), "--port", "0", *flags]) == 0
    address = capsys.readouterr().out.split()[1]
    assert asked == [address] * opened
