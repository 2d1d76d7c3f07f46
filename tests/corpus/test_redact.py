"""Secrets and addresses go and nothing else does; every later stage and every account of the corpus knows of it."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from corpus_stages import document, rows, standard_library, write
from planted import FORMS, planted

from snow import stages
from snow.corpus.redact import Redactor
from snow.schema import Redaction
from snow.tables import document_id
from tests import stage_runs

ALL = {"email": "<EMAIL>", "ip_address": "<IP_ADDRESS>", "key": "<KEY>", "password": "<PASSWORD>"}
TOKEN = FORMS["GitHub token"]
MOST = 0.95  # of the planted ones that are found


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the state of all jobs, so that the rules are compiled once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def redactor(state: Path) -> Redactor:
    return Redactor(Redaction(**ALL), state / "detector")


def test_planted_secrets_are_found(redactor: Redactor) -> None:
    kinds, missed = Counter[str](), defaultdict[str, list[str]](list)
    for one in planted():
        content, _ = redactor.redact(one.content, one.language)
        kinds[one.kind] += 1
        if one.secret in content:
            missed[one.kind].append(one.content)
    total = kinds.total()
    assert total >= 200
    assert len(kinds) >= 15
    assert 1 - sum(map(len, missed.values())) / total >= MOST, missed
    assert all(len(of) < kinds[kind] / 2 for kind, of in missed.items()), missed


def test_what_stands_around_a_secret_is_as_it_was(redactor: Redactor) -> None:
    for one in planted(each=4):
        content, counts = redactor.redact(one.content, one.language)
        before, after = one.content.split(one.secret, 1)
        if counts.total() == 1 and one.secret not in content:
            assert content in (f"{before}{marker}{after}" for marker in ALL.values()), one.kind


def test_code_is_redacted_once(redactor: Redactor) -> None:
    for one in planted(each=2):
        content, _ = redactor.redact(one.content, one.language)
        assert redactor.redact(content, one.language) == (content, Counter())


ADDRESSES = {
    "Copyright (C) Bob Smith <bob.smith@gmail.com>, 2024": "Copyright (C) Bob Smith <<EMAIL>>, 2024",
    'print("to:\\nann@mail.co.uk")': 'print("to:\\n<EMAIL>")',
    "mail ADMIN@CORP.COM.": "mail <EMAIL>.",
    'host = "52.14.3.77"': 'host = "<IP_ADDRESS>"',
    "ssh root@93.184.216.34 -p 22": "ssh root@<IP_ADDRESS> -p 22",
    "ping 2a01:4f8:c17:b0f::1 # ours": "ping <IP_ADDRESS> # ours",
    'url = "http://93.184.216.34:8080/x"': 'url = "http://<IP_ADDRESS>:8080/x"',
    '{"remote": "4.3.2.7"}': '{"remote": "<IP_ADDRESS>"}',
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses(redactor: Redactor, text: str) -> None:
    assert redactor.redact(text, "Python")[0] == ADDRESSES[text]


HARMLESS = (
    "git clone git@github.com:owner/name.git",
    "write to someone@example.com, root@localhost or ann@corp.test",
    "@decorator.net\ndef product(a, b):\n    return a@b.T + x@y.to(z)",
    'import "@types/node@18.0.1"; icon@2x.png',
    "val name = this@Outer.name",
    "b'hostkeys-00@openssh.com,curve25519-sha256@libssh.org'",
    "https://someone:password@symfony.com/ ses+https://ACCESS_KEY@email.eu-west-1.amazonaws.com",
    "listen 10.0.0.1 192.168.1.1 127.0.0.1 203.0.113.7 198.51.100.1 0.0.0.0 224.0.0.1 8.8.8.8 2001:db8::1 fe80::1",
    "__version__ = '1.2.3.4'\nrequires = ['numpy==1.22.3.4', 'lib>=52.1.77.3', 'x ~> 1.44.2.1']",
    "compile 'com.google.guava:guava:31.1.44.2'\n<version>12.40.1.77</version>\nAssemblyVersion(\"7.40.1.77\")",
    "lib-52.14.3.77.jar snmpget 1.3.6.1.4.1.311 Chrome/91.12.44.12",
    "std::abc::def(face::add, 2001::dead)",
    "password = os.environ['DB_PASSWORD']\npasswd = get_password(user)\nself.password = password1",
    "password: ${DB_PASSWORD}\ntoken = '{{ secrets.token }}'\napi_key = '<your-api-key>'\npwd = '$(cat file)'\nsecret = 'xxxxxxxxxxxxxxxx'",
    'pem = "-----BEGIN PRIVATE KEY-----\\n" + base64(key, width=64).decode().rstrip() + tail(key) + "\\n-----END PRIVATE KEY-----"',
    'MovedAttribute("PasswordMgr", "urllib2", "urllib.request")\nforce the caller to pass "callback=1" explicitly',
    "oid = ObjectIdentifier('1.3.101.112')  # RFC 7540, 8.1.2.2 Connection-Specific Header Fields",
    "new_password_field = 'new_password1'\nTOKEN_URL = '/oauth/access_token_v2'\ntoken_type = 'access_token'",
    'tokenizer_class = "LlamaTokenizerFast2"\nPublicKeyToken=b77a5c561934e089\npublic_key = "04a8b2c19d4c1dbe8d4f2a1b7c99e0f3"',
    '"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="',
    'checksum = "b5d307320b3181d6d7954e663bd7c774a838b8220fe0593c86d9fb09f498b4b"\nid = "123e4567-e89b-42d3-a456-426614174000"',
    "github.com/pkg/errors v0.9.1 h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=",
    "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJ1XfBqn2SkPtVYlqxDTVdPqSs\n-----END PUBLIC KEY-----",
    "secret_key_base = SecureRandom.hex(64)\ndef token(self, access_key=None): return api_key",
    "http://user:password@example.com/ https://user:${TOKEN}@github.com/ http://scott:tiger@localhost/",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_left_alone(redactor: Redactor, text: str) -> None:
    assert redactor.redact(text, "Python") == (text, Counter())


def test_modules_of_the_standard_library_keep_their_meaning(redactor: Redactor) -> None:
    for name, text in standard_library(150):
        content, counts = redactor.redact(text, "Python")
        assert counts.keys() <= {"email"}, (name, counts)
        compile(content, name, "exec")


LONG = (
    "sk-" * 100_000,
    "@a." * 100_000 + "com",
    "@" + "a." * 150_000 + "@",
    "a" * 150_000 + "@" + "a" * 150_000,
    "1.2.3." * 50_000,
    "2001:" * 50_000,
    "token=" * 50_000,
    "password='" * 30_000,
    "api_key = 'aB3' " * 20_000,
    "http://a:" * 30_000 + "@x",
    "curl -u " * 30_000,
    "-----BEGIN PRIVATE KEY-----" * 10_000 + "A" * 100_000,
    "pass " * 60_000,
    "\\n" * 100_000 + "é@é.com" * 10_000,
)


@pytest.mark.parametrize("text", LONG, ids=[text[:12] for text in LONG])
def test_no_text_takes_long(redactor: Redactor, text: str) -> None:
    start = time.process_time()
    redactor.redact(text, "Python")
    assert time.process_time() - start < 3, "seconds for 300 kB"


def test_characters_stay_whole(redactor: Redactor) -> None:
    some = random.Random(0)
    pieces = [
        "é",
        "密",
        "\U0001f511",
        "curl -u a:",
        "password = '",
        "'",
        "http://u:",
        "@h.net ",
        "token=",
        " ",
        "aB3$xY9!",
        "\n",
        "key-" + "0a" * 16,
    ]
    for _ in range(2000):
        text = "".join(some.choices(pieces, k=12))
        content, _ = redactor.redact(text, "Shell")
        assert content.encode()


def redact(state: Path, folder: Path, documents: list[dict[str, Any]], **markers: str | None) -> dict[str, Any]:
    inputs = {"documents": write(folder / "filtered.parquet", documents)}
    outputs = {"documents": folder / "redacted.parquet", "redactions": folder / "redactions.parquet"}
    return stage_runs.run("redact", "00000", state, inputs, outputs, {"redaction": ALL | markers})


def test_the_stage_counts_what_it_replaces(state: Path, tmp_path: Path) -> None:
    token = TOKEN(random.Random(1))
    texts = [f"# ann@mail.com and ann@mail.com\nx = '{token}'\n", "y = 1\n", "# bob@mail.com\n"]
    facts = redact(state, tmp_path, [document(text) for text in texts])
    made, told = rows(tmp_path / "redacted.parquet"), rows(tmp_path / "redactions.parquet")
    assert [row["content"] for row in made] == ["# <EMAIL> and <EMAIL>\nx = '<KEY>'\n", "y = 1\n", "# <EMAIL>\n"]
    assert [row["id"] for row in made] == [document_id(row["content"]) for row in made] == [row["id"] for row in told]
    assert [row["size"] for row in made] == [len(row["content"]) for row in made]
    assert [row["original"] for row in told] == [document_id(text) for text in texts]
    assert [(row["email"], row["key"]) for row in told] == [(2, 1), (0, 0), (1, 0)]
    assert facts["kinds"] == {
        "email": {"documents": 2, "found": 3},
        "ip_address": {"documents": 0, "found": 0},
        "key": {"documents": 1, "found": 1},
        "password": {"documents": 0, "found": 0},
    }
    assert facts["languages"] == {"Python": {"email": 3, "key": 1}}
    assert (facts["documents_in"], facts["documents"], facts["bytes"]) == (3, 3, sum(row["size"] for row in made))


def test_a_kind_without_a_marker_is_left_alone(state: Path, tmp_path: Path) -> None:
    text = 'mail = "ann@mail.com"\npassword = "Winter2024!"\n'
    facts = redact(state, tmp_path, [document(text)], email=None, key=None)
    assert [row["content"] for row in rows(tmp_path / "redacted.parquet")] == ['mail = "ann@mail.com"\npassword = "<PASSWORD>"\n']
    assert list(facts["kinds"]) == ["ip_address", "password"]


def test_nothing_of_it_is_there_without_redaction() -> None:
    params = stage_runs.params({})
    assert params.redaction is None
    assert "redact" not in stages.graph(params).instances
    redacted = stages.graph(stage_runs.params({"redaction": ALL}))
    readers = [job for job in redacted.jobs if any("corpus/filtered" in path for paths in job.inputs.values() for path in paths)]
    assert {job.stage for job in readers} == {"redact"}, "what is not redacted is read by nobody else"


def test_two_shards_alike_give_the_same_bytes(state: Path, tmp_path: Path) -> None:
    texts = [document(one.content) for one in planted(each=1)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        redact(state, tmp_path / name, texts)
    assert (tmp_path / "a/redacted.parquet").read_bytes() == (tmp_path / "b/redacted.parquet").read_bytes()
    assert pq.read_metadata(tmp_path / "a/redactions.parquet").num_rows == len(texts)
