"""The review page on a Unix socket: a real server, asked by a real socket."""

import grp
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from curation.home.folder import Home
from curation.review.access import SHORTEST_SECRET, add_account
from curation.review.serve import Place, serve
from curation.review.unix_socket import listening_at
from curation.settings.recipe import Recipe
from shards.errors import BadInput

ADA = {"X-User": "ada"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Short: the path of a socket has at most some hundred characters."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="module")
def server(folder):
    """What the command line serves to a proxy."""
    with served(folder / "home", folder / "page.sock") as running:
        yield running


@contextmanager
def served(home, path, *more):
    command = [sys.executable, "-m", "flows.cli", "review", "serve", "--home", str(home), "--socket", str(path)]
    named = ["--proxy-header", "X-User", "--name", "reviews.example", *more]
    with subprocess.Popen([*command, *named], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield SimpleNamespace(process=process, path=path, said=process.stdout.readline())
        finally:
            process.kill()


def ask(path, url="http://reviews.example/", **headers):
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=20) as client:
        return client.get(url, headers=headers)


class TestBehindAProxy:
    def test_it_says_what_a_proxy_passes_on_to(self, server):
        assert server.said == f"a proxy passes on to unix:{server.path}   (Ctrl-C stops)\n"

    def test_who_the_proxy_names_is_in_without_address_and_secret(self, server):
        page = ask(server.path, **ADA)
        assert page.status_code == 200 and 'content="ada"' in page.text

    def test_nobody_is_in_whom_it_does_not_name(self, server):
        assert ask(server.path).status_code == 401

    def test_another_host_name_is_refused_before_anybody_is_believed(self, server):
        refused = ask(server.path, "http://evil.example/", **ADA)
        assert refused.status_code == 400 and "--name" in refused.json()["remedy"]

    def test_it_listens_at_no_port(self, server):
        listening = {line.split()[9] for table in ("tcp", "tcp6") for line in listeners(table)}
        held = {link.readlink().name for link in Path(f"/proc/{server.process.pid}/fd").iterdir()}
        assert not {f"socket:[{inode}]" for inode in listening} & held

    def test_its_file_is_its_owner_s_alone(self, server):
        assert server.path.stat().st_mode & 0o777 == 0o600

    def test_a_second_server_is_refused_in_one_sentence(self, server, folder):
        with served(folder / "other", server.path) as second:
            said, complaint = second.process.communicate(timeout=60)
        assert (second.said, said) == ("", "") and second.process.returncode == BadInput.exit_code
        assert f"another server listens at {server.path}" in complaint and "Traceback" not in complaint
        assert ask(server.path, **ADA).status_code == 200


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_its_file_goes_with_it_and_what_a_killed_one_left_is_replaced(folder, tmp_path, sent):
    path = folder / f"{sent.name}.sock"
    with served(tmp_path, path) as first:
        assert ask(path, **ADA).status_code == 200
        first.process.send_signal(sent)
        _, complaints = first.process.communicate(timeout=20)
    assert "Traceback" not in complaints
    assert path.exists() == (sent is signal.SIGKILL)
    if sent is signal.SIGKILL:
        with served(tmp_path, path):
            assert ask(path, **ADA).status_code == 200


def test_a_secret_that_is_given_is_asked_for(folder, tmp_path):
    path = folder / "secret.sock"
    with served(tmp_path, path, "--proxy-secret", "s" * SHORTEST_SECRET):
        assert ask(path, **ADA).status_code == 401
        assert ask(path, **ADA, **{"X-Clapboard-Proxy-Secret": "s" * SHORTEST_SECRET}).status_code == 200


class TestPlaces:
    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ({"host": "0.0.0.0"}, "--socket is not for --host"),
            ({"proxies": ("10.0.0.2",)}, "--socket is not for --host, --proxy"),
            ({"certificate": Path("cert.pem")}, "--tls-certificate"),
            ({"proxy_header": "", "names": ()}, "nobody would be asked who they are"),
            ({"proxy_secret": "short"}, "shows a secret"),
        ],
    )
    def test_what_does_not_go_with_a_socket_is_refused(self, folder, tmp_path, more, told):
        place = {"proxy_header": "X-User", "socket": folder / "never.sock"} | more
        with pytest.raises(BadInput, match=told):
            start(tmp_path, Place(**place))
        assert not (folder / "never.sock").exists()

    def test_a_group_without_a_socket_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match="says who may write to a socket"):
            start(tmp_path, Place(socket_group="www-data"))

    def test_accounts_are_served_too_and_nobody_is_warned_of_an_open_network(self, folder, tmp_path):
        with Home(tmp_path).ledger() as ledger:
            add_account(ledger, "ada", "correct horse battery")
        said = []

        def announce(line):
            said.append(line)
            raise InterruptedError

        place = Place(socket=folder / "accounts.sock")
        with pytest.raises(InterruptedError):
            serve(Home(tmp_path), reviewer="", recipe=Recipe(), announce=announce, warn=said.append, place=place)
        assert said == [f"unix:{place.socket}"] and not place.socket.exists()


class TestFile:
    def test_a_group_may_connect_if_it_is_named(self, folder):
        group = grp.getgrgid(os.getgid()).gr_name
        with listening_at(folder / "group.sock", group=group):
            found = (folder / "group.sock").stat()
        assert (found.st_mode & 0o777, found.st_gid) == (0o660, os.getgid())

    def test_a_group_that_there_is_not_leaves_no_file(self, folder):
        with pytest.raises(BadInput, match="cannot be given to the group"), listening(folder, group="nobody's own"):
            pass
        assert not list(folder.glob("file*"))

    @pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
    def test_what_is_no_socket_is_left_alone(self, folder, make):
        path = folder / f"thing{next(NUMBERS)}"
        make(path)
        with pytest.raises(BadInput, match="is there and no socket"), listening_at(path):
            pass
        assert path.is_symlink() or path.exists()

    @pytest.mark.parametrize("name", ["a" * 200, "no such folder/page.sock"])
    def test_a_place_that_cannot_be_is_told(self, folder, name):
        with pytest.raises(BadInput, match="cannot be made") as caught, listening_at(folder / name):
            pass
        assert "100 characters" in caught.value.remedy

    def test_a_server_that_is_busy_is_not_taken_for_a_dead_one(self, folder):
        path = folder / "busy.sock"
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(str(path))
            busy.listen(0)
            with socket.socket(socket.AF_UNIX) as waiting:
                waiting.connect(str(path))
                with pytest.raises(BadInput, match="another server listens"), listening_at(path):
                    pass
        assert path.is_socket()

    def test_a_file_that_took_its_place_is_not_removed(self, folder):
        path = folder / "moved.sock"
        with listening_at(path):
            path.unlink()
            path.touch()
        assert path.is_file()


NUMBERS = count()


def listening(folder, **options):
    return listening_at(folder / f"file{next(NUMBERS)}.sock", **options)


def listeners(table):
    """Lines of the kernel's table that listen."""
    return [line for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:] if line.split()[3] == "0A"]


def start(home, place):
    serve(Home(home), reviewer="ada", recipe=Recipe(), announce=pytest.fail, place=place)
