"""Files that state licences are others' text: whatever they hold is read in bounded time or states nothing, and never ends a shard."""

import time

import pytest
from collecting import MIT, collect, repository
from hypothesis import given, settings
from hypothesis import strategies as some

from snow.corpus import license_texts, licenses, terms

NAMES = (
    *("LICENSE", "COPYING", "package.json", "composer.json", "Cargo.toml", "pyproject.toml", "setup.cfg", "setup.py", "pom.xml"),
    *("a.gemspec", "PKG-INFO", "README.md", "debian/copyright", "REUSE.toml", ".reuse/dep5", "LICENSES/MIT.txt", "x-1.dist-info/METADATA"),
)
WORDS = (
    *("license", "MIT", "GPL", "version 2", "or", "and", "(", ")", "AND", "WITH", "*", "/", '"', "{", "}", "[", "]", "=", ":", "\n", " "),
    *("\0", "é", "License: ", "Files: ", "Format: x\n\n", "<license>", "<name>", "## License\n", "[package]\n", "under the terms of the"),
    *("src/", "a.py", "proprietary", "redistribut", "permission is"),
)
texts = some.one_of(some.text(max_size=200), some.lists(some.sampled_from(WORDS), max_size=60).map("".join))


@settings(max_examples=300, deadline=2000)
@given(some.dictionaries(some.sampled_from(NAMES), texts, min_size=1))
def test_anything_may_stand_in_them(contents):
    files = sorted({*contents, "src/a.py"})
    of = terms.terms(files, lambda wanted: ((path, contents[path].encode()) for path in sorted(wanted))).of
    found = of("src/a.py")
    assert found is None or found.expression is None or isinstance(licenses.permitted(found.expression, frozenset({"mit"})), bool)


@settings(max_examples=300, deadline=2000)
@given(texts)
def test_anything_may_stand_in_a_header(text):
    expression = license_texts.in_header(f"# {text}\n/* {text} */\n")
    assert expression is None or isinstance(licenses.permitted(expression, frozenset({"mit"})), bool)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package.json", "[" * 100_000),
        ("package.json", '{"license": {"type": ["MIT"]}}'),
        ("composer.json", '{"license": [["MIT"]]}'),
        ("pyproject.toml", "x = " + "[" * 100_000),
        ("pom.xml", '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><project>&b;</project>'),
        ("pom.xml", "<a>" * 100_000),
        ("debian/copyright", "Format: x\n\nFiles: " + "*a" * 200 + "b\nLicense: MIT\n"),
        ("REUSE.toml", f'[[annotations]]\npath = "{"*a" * 200}b"\nSPDX-License-Identifier = "MIT"\n[[annotations]]\npath = 7\n'),
        ("LICENSE", MIT + "a" * 500_000),
        ("LICENSE", MIT + "a/" * 200_000),
        ("LICENSE", MIT + "\n" * 100_000 + "-" * 200_000),
        ("README.md", "# License\n" * 50_000),
        ("LICENSE", ("MIT License".encode("utf-16")).decode("latin-1")),
    ],
)
def test_hostile_files_cost_little(tmp_path, name, text):
    root = repository(tmp_path / "in" / "one", {name: text.encode("latin-1"), "a" * 60 + "/" + "a" * 60 + ".py": "x = 1\n"}, None)
    started = time.process_time()
    _, facts = collect(tmp_path, {"kind": "folder", "paths": [str(root.parent)]})
    assert facts["files_seen"] == 2
    assert time.process_time() - started < 10
