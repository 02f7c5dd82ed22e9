"""Addresses of streams without their credentials."""

import pytest

from cpcnn_jax.io import stream_address
from cpcnn_jax.io.stream_address import StreamAddress

SECRETS = [
    "rtsp://me:hunter2@cam:554/1",
    "rtsp://me:hunter2@cam/1",
    "rtsp://hunter2@cam/1",
    "http://me:a/hunter2@cam/1",
    "http://me:1/hunter2@cam/1",
    "http://me:a?hunter2#@cam/1",
    "http://me:a@hunter2@cam/1",
    "http://me:hunter2@[::1]:80/1",
    "HTTPS://cam/1?user=me&pwd=hunter2",
    "rtsp://cam/user=me_password=hunter2_channel=1.sdp",
    "https://cam/1#hunter2",
]


@pytest.mark.parametrize("url", SECRETS)
def test_no_text_of_an_address_has_its_credentials(url):
    address = StreamAddress(url)
    texts = [f"{address} {address!r} {address:>9}", str(address), address.path]
    texts.append(stream_address.hide_credentials(f"error: {url}: refused, '{url}'"))
    for text in texts:
        assert "hunter2" not in text and "me:" not in text
    assert address.url == url and texts[-1].endswith("'")


@pytest.mark.parametrize(
    "url", ["rtsp://cam:554/1", "http://cam/@me/1.mp4", "http://[::1]:80/1", "camera:0"]
)
def test_an_address_without_credentials_stays(url):
    assert StreamAddress(url) == url


def test_paths_of_results_stay_in_their_folder():
    assert StreamAddress("http://cam/../../etc/a:b?x").path == "cam/etc/a_b"
    assert StreamAddress("http://..").path == "stream"
    assert StreamAddress("camera:/dev/video0").path == "camera_/dev/video0"
