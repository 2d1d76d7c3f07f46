"""What collection says of a source that is left out for the most part."""

import pytest
from collecting import GPL_3, MIT, collect, repository

PY = "x = 1\n"
MOSTLY = "source source0: {} source files in this shard are left out because of `{}`; {}".format
SILENT = (
    "corpus/repositories says what was found where; state its `license` for what says none, with `license_precedence: override` also for "
    "what is not recognised"
)
BOUND = "add a license that it is under to licenses.allow, or exclude what is under another"


@pytest.mark.parametrize(
    ("files", "text", "sentence"),
    [
        ({"a.py": PY, "b.py": PY}, None, MOSTLY("2 of its 2", "license", SILENT)),
        ({"a.py": PY, "b.py": PY}, GPL_3, MOSTLY("2 of its 2", "license", BOUND)),
        ({"a.py": b"\xff\xfe", "b.py": b"\xff", "c.py": PY}, MIT, MOSTLY("2 of its 3", "invalid_utf8", "convert it to UTF-8")),
        (
            {"a.txt": "x", "b.bin": "y"},
            None,
            "none of its 2 files and rows in this shard is in one of `languages`; add the languages it is in",
        ),
        ({"a.py": PY, "b.py": PY, "c.py": b"\xff", "read.txt": "x"}, MIT, None),
        ({}, None, None),
    ],
)
def test_a_source_that_is_mostly_left_out_is_named_with_the_remedy(tmp_path, capsys, files, text, sentence):
    root = repository(tmp_path / "in" / "one", files, text)
    root.mkdir(parents=True, exist_ok=True)
    collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")]})
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("collect 00000: ")]
    assert (sentence in said[0]) if sentence else not said


def test_files_beyond_the_limit_are_meant_to_be_left_out(tmp_path, capsys):
    repository(tmp_path / "in" / "one", {f"{index}.py": f"x = {index}\n" for index in range(9)})
    collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")], "limit_files": 1})
    assert "collect 00000: source" not in capsys.readouterr().err
