"""A certificate that cannot be used is said so before anybody is sent to an address that will not answer."""

import shutil
import subprocess

import pytest

from curation.home.folder import Home
from curation.review.serve import Place, serve
from curation.settings.recipe import Recipe
from shards.errors import BadInput


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A folder of two certificates with their keys."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl here to make certificates")
    folder = tmp_path_factory.mktemp("pem")
    for name in ("one", "two"):
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run(
            [*make, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"], check=True, capture_output=True
        )
    return folder


def refused(folder, **place):
    with pytest.raises(BadInput) as caught:
        serve(
            Home(folder), reviewer="ada", recipe=Recipe(), announce=pytest.fail, warn=pytest.fail,
            place=Place(port=0, **place),
        )  # fmt: skip
    assert "--tls-certificate" in caught.value.remedy
    return caught.value.message


def test_refuses_a_certificate_that_is_not_there(tmp_path):
    assert "nothere.pem cannot be used for https: No such file" in refused(
        tmp_path, certificate=tmp_path / "nothere.pem"
    )


def test_refuses_a_file_that_is_no_certificate(tmp_path):
    (tmp_path / "no.pem").write_text("no certificate")
    assert "no.pem cannot be used" in refused(tmp_path, certificate=tmp_path / "no.pem")


def test_refuses_a_key_without_a_certificate(tmp_path):
    assert "key without its certificate" in refused(tmp_path, key=tmp_path / "one.key")


def test_refuses_a_key_of_another_certificate(tmp_path, pem):
    assert "two.key cannot be used" in refused(tmp_path, certificate=pem / "one.pem", key=pem / "two.key")


def test_a_pair_is_announced_as_https(tmp_path, pem):
    def announce(link):
        assert link.startswith("https://")
        raise InterruptedError

    place = Place(port=0, certificate=pem / "one.pem", key=pem / "one.key")
    with pytest.raises(InterruptedError):
        serve(Home(tmp_path), reviewer="ada", recipe=Recipe(), announce=announce, place=place)
