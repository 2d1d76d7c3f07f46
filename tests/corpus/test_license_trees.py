"""Licences found in trees as projects publish them: right for every source file, and no file of a non-permissive part let in."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from collecting import ROOT, collect

from snow.corpus import licenses

TREES = yaml.safe_load(Path(__file__).with_name("license_trees.yaml").read_text())
ALLOW = frozenset(name.casefold() for name in yaml.safe_load((ROOT / "params.yaml").read_text())["licenses"]["allow"])
INSTALLED = {  # whole licences, from what is installed: distribution, end of the file's path
    "MIT": ("setuptools", "licenses/LICENSE"),
    "Apache-2.0": ("requests", "LICENSE"),
    "BSD-3-Clause": ("jsonpointer", "LICENSE.txt"),
    "BSD-2-Clause": ("llvmlite", "licenses/LICENSE"),
    "MPL-2.0": ("shtab", "LICENCE"),
    "LGPL-3.0": ("setuptools", "autocommand-2.2.2.dist-info/LICENSE"),
    "BSL-1.0": ("pandas", "LICENSE-BOOST"),
    "PSF-2.0": ("greenlet", "LICENSE.PSF"),
}
WRITTEN = {
    "GPL-2.0": "GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991",
    "GPL-3.0": "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007",
    "TCL": """The authors hereby grant permission to use, copy, modify, distribute,
and license this software and its documentation for any purpose.""",
    "Unlicense": "This software is released under the terms of the Unlicense.",
    "PostgreSQL": "PostgreSQL Database Management System is released under the PostgreSQL License.",
    "LLVM-exception": """---- LLVM Exceptions to the Apache 2.0 License ----

As an exception, if you combine this Software with software that is licensed under the GPLv2, you may exclude Sections of the
License only with respect to the Combined Software.""",
    "Apache-2.0-notice": """// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.""",
    "ISC-notice": """Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.""",
    "GPL-2-notice": """/* This program is free software; you can redistribute it and/or modify it under the terms of the GNU General
 * Public License as published by the Free Software Foundation; either version 2 of the License, or (at your option)
 * any later version. */""",
    "GPL-3-notice": """# This program is free software: you can redistribute it and/or modify
# it under the terms of the GNU General Public License as published by
# the Free Software Foundation, either version 3 of the License, or
# (at your option) any later version.""",
}


def _text(name: str) -> str:
    if name in WRITTEN:
        return WRITTEN[name]
    distribution, end = INSTALLED[name]
    files = importlib.metadata.files(distribution) or ()
    return next(file.locate() for file in files if str(file).endswith(end)).read_text()


def _content(says: str) -> str:
    """`says` with whole licences filled in; behind a blank, as a field of debian/copyright goes on."""

    def whole(match: re.Match[str]) -> str:
        lines = _text(match[2]).strip("\n").splitlines()
        return "\n".join(f" {line.strip() or '.'}" if match[1] else line for line in lines)

    return re.sub(r"^( ?)=([A-Z][\w.-]+)$", whole, says, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """(documents, rows of the table of repositories) of all trees as one source."""
    folder = tmp_path_factory.mktemp("trees")
    for name, tree in TREES.items():
        for path in (*tree["license"], *tree["says"]):
            place = folder / "in" / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_content(tree["says"].get(path, f"x = 1  // {name}/{path}\n")))
    values = {"kind": "folder", "paths": [str(folder / "in")]}
    documents, _ = collect(
        folder, values, languages=["Python", "C", "C++", "JavaScript", "Go", "Ruby", "Rust", "Java", "Kotlin", "PHP", "Shell"]
    )
    return documents, pq.read_table(folder / "repositories/00000.parquet").to_pylist()


def test_there_are_enough_trees():
    assert len(TREES) >= 40
    assert sum(len(tree["license"]) for tree in TREES.values()) >= 80


@pytest.mark.parametrize("name", TREES)
def test_every_source_file_has_its_licence(collected, name):
    documents, repositories = collected
    expected = TREES[name]["license"]
    found = {row["path"]: row["license"] for row in documents if row["repo"] == name and row["path"] in expected}
    assert found == {path: license for path, license in expected.items() if license and licenses.permitted(license, ALLOW)}
    stated = {row["license"] for row in repositories if row["repo"] == name}
    assert set(expected.values()) <= stated


def test_nothing_of_a_non_permissive_part_is_let_in(collected):
    documents, _ = collected
    kept = {(row["repo"], row["path"]) for row in documents}
    out = {
        (name, path)
        for name, tree in TREES.items()
        for path, license in tree["license"].items()
        if license is None or not licenses.permitted(license, ALLOW)
    }
    assert len(out) > 25
    assert not kept & out


def test_the_table_says_where_it_was_found(collected):
    _, repositories = collected
    where = {(row["repo"], row["license"]): row["found_in"] for row in repositories}
    assert where["rails", "MIT"] is not None
    assert where["vendored-gpl", "GPL-3.0"] == "third_party/x/COPYING"
    assert where["kotlin", "BSD-3-Clause"] == "js/js.ast/License.txt"
    assert where["serde", "MIT OR Apache-2.0"] == "LICENSE-APACHE LICENSE-MIT Cargo.toml"
    assert where["headers-alone", "GPL-2.0-only"] == "the file itself"
    assert where["no-licence", None] is None
    assert where["open-core", None] == "ee/LICENSE"
    (row,) = [row for row in repositories if row["repo"] == "xxhash" and row["license"] == "BSD-2-Clause"]
    assert (row["source"], row["files"], row["documents"]) == ("source0", 1, 1)
