"""What of a file's beginning is about copyright and licence, and that files which have only that in common are no near-duplicates."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from corpus_stages import document, rows, run, write

from snow.corpus import license_headers, minhash, signatures

APACHE = """Copyright 2019 The Project Authors. All Rights Reserved.

Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance with the License. You may
obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific language governing permissions
and limitations under the License.
"""
HEADER = textwrap.indent(APACHE, "# ", lambda line: True)
SCHEME = minhash.scheme(0, 5, 256, False)


def without(text: str) -> str:
    for start, end in reversed(license_headers.notices(text)):
        text = text[:start] + text[end:]
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (HEADER + "import os\n", "# # # import os"),
        (f"/*\n{APACHE}*/\n#include <a.h>\n", "/* */ #include <a.h>"),
        (f'"""Reads maps.\n\nA map is read by line.\n\n{APACHE}"""\nimport os\n', '"""Reads maps. A map is read by line. """ import os'),
        ("// Copyright (c) 2008 A. Person\n// See LICENSE.\n#include <a.h>\n#define B\nint c;\n", "#include <a.h> #define B int c;"),
        (
            "#!/bin/sh\n\n# (c) 2008 A. Person\n# All rights reserved.\n\n# Removes what is old.\nrm *\n",
            "#!/bin/sh # Removes what is old. rm *",
        ),
        ("<!-- SPDX-License-Identifier: MIT -->\n<p>Permission is granted</p>\n", "<p>Permission is granted</p>"),
        ('"""Checks the permission bits that are distributed over files."""\nx = 1\n', None),
        ("x = 1\n# Copyright 2008 A. Person\n", None),
        ("", None),
    ],
)
def test_the_paragraphs_of_a_header_that_are_about_rights_are_found(text: str, rest: str | None) -> None:
    assert without(text) == (" ".join(text.split()) if rest is None else rest)


def sign(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    encoded = [text.encode() for text in texts]
    data, ends = np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)])
    return signatures.document_signatures(data, ends, SCHEME)


def test_a_document_is_signed_without_its_header_unless_there_is_nothing_else() -> None:
    body = "def größe(maß):\n    return [wert * 2 for wert in maß if wert]\n"
    title = f'"""Größen, über das Maß hinaus.\n\n{APACHE}"""\n'
    made, tokens = sign([body, HEADER + body, body + HEADER, title + body, HEADER, HEADER + "a = 1\n", "a = 1\n"])
    assert (made[0] == made[1]).all()
    assert tokens[:2].tolist() == [12, 12]
    assert (made[0] == made[2]).mean() < 0.5  # a licence at the end is no header
    assert tokens[3] == 12 + 5
    assert (made[4] == made[5]).mean() > 0.9
    assert (made[4] != 0xFFFFFFFF).all()
    assert (made[6] == 0xFFFFFFFF).all()


def test_files_with_nothing_in_common_but_the_header_stay_and_copies_with_another_header_go(tmp_path: Path) -> None:
    one, other = "from project.maps import reader, writer\nENTRY = reader\n", "from project.lists import sort as default_sort, merge\n"
    copied = "def spread(values):\n    return max(values) - min(values) if values else None\n"
    texts = {
        "one.py": HEADER + one,
        "other.py": HEADER + other,
        "deep/copied.py": copied,
        "copied.py": HEADER + copied,
        "nothing.py": HEADER,
        "deep/nothing.py": HEADER.replace("2019", "2020"),
    }
    documents = write(tmp_path / "documents.parquet", [document(text, path=path) for path, text in texts.items()])
    signed, verdicts = tmp_path / "00000.parquet", tmp_path / "duplicates"
    run("minhash", tmp_path, "00000", {"documents": [documents]}, {"signatures": signed})
    run("duplicates", tmp_path, "all", {"signatures": [signed]}, {"duplicates": verdicts})
    names = list(texts)
    gone = [names[row["row"]] for row in rows(verdicts / signed.name) if not row["survivor"]]
    assert gone == ["deep/copied.py", "deep/nothing.py"]
