"""Licence statements as they occur in package metadata, classifiers and licence files."""

import importlib.metadata
from pathlib import Path

import pytest
from collecting import MIT

from snow.corpus import licenses

ALLOW = frozenset({"mit", "apache-2.0", "bsd-3-clause"})


@pytest.mark.parametrize(
    ("statement", "expression"),
    [
        ("mit", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0 License", "Apache-2.0"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("New BSD", "BSD-3-Clause"),
        ("BSD License", "LicenseRef-BSD"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("Apache 2.0 and MIT", "Apache-2.0 AND MIT"),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", "MPL-2.0 AND (Apache-2.0 OR MIT)"),
        ("GPLv2 | EPLv1", "GPL-2.0-only OR EPL-1.0"),
        ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        ("Python Software Foundation License", "PSF-2.0"),
        ("Dual License", None),
        ("Proprietary", None),
        ("MIT OR something else", None),
        ("", None),
        ("(" * 5000 + "MIT", None),
    ],
)
def test_statements(statement, expression):
    assert licenses.spdx(statement) == expression


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-2.0-only", False),
        ("MIT OR GPL-2.0-only", True),
        ("GPL-2.0-only OR EPL-2.0", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", False),
        ("GPL-2.0-only AND MIT OR Apache-2.0", True),  # AND binds tighter
        ("GPL-2.0-only AND (MIT OR Apache-2.0)", False),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("(GPL-2.0-or-later WITH Classpath-exception-2.0 OR MIT) AND Apache-2.0+", True),
        ("LicenseRef-BSD", False),
    ],
)
def test_expressions_against_the_allowed(expression, permitted):
    assert licenses.permitted(expression, ALLOW) is permitted


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (MIT, "MIT"),
        ("Apache License\n        Version 2.0, January 2004\n", "Apache-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 2, June 1991\n see the GNU Lesser General Public License", "GPL-2.0"),
        ("Redistribution and use in source and binary forms, with or without ... are permitted: 1. 2.", "BSD-2-Clause"),
        ("Redistribution and use in source and binary forms ... 3. Neither the name of X", "BSD-3-Clause"),
        (MIT + "\n\nApache License\nVersion 2.0, January 2004\n", "Apache-2.0 AND MIT"),
        ("All rights reserved.", None),
    ],
)
def test_whole_texts(text, expression):
    assert licenses.in_text(text) == expression


def test_a_file_may_state_its_own():
    assert licenses.in_header("/* SPDX-License-Identifier: GPL-2.0-only OR MIT */\nint x;\n") == "GPL-2.0-only OR MIT"
    assert licenses.in_header("#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n") == "Apache-2.0"
    assert licenses.in_header('LINE = "text about SPDX-License-Identifier: MIT"\n') is None
    assert licenses.in_header("\n" * 3000 + "# SPDX-License-Identifier: MIT\n") is None


def test_what_is_declared_counts_before_what_a_wheel_bundles():
    bundled = (
        "Redistribution and use in source and binary forms... neither the name of ... GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"
    )
    of = licenses.of_distribution
    assert of("bsd-3-clause", "GPL", [], [bundled]) == "BSD-3-Clause"
    assert of(None, "BSD", ["License :: OSI Approved :: BSD License"], [bundled]) == "BSD-3-Clause"  # the text says which BSD
    assert of(None, "BSD", [], []) == "LicenseRef-BSD"
    assert of(None, bundled + "\nmore", ["License :: OSI Approved :: MIT License"], []) == "MIT"
    assert (
        of(None, "Dual License", ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: Apache Software License"], [])
        == "MIT AND Apache-2.0"
    )
    assert of(None, None, ["License :: OSI Approved"], [MIT]) == "MIT"
    assert of(None, "Proprietary", [], []) is None


def test_almost_every_installed_distribution_has_a_licence():
    """What a user would see: a package that says its licence somewhere is not dropped as unknown."""
    unknown, count = [], 0
    for distribution in importlib.metadata.distributions():
        info = Path(str(distribution.locate_file(""))) / f"{distribution.metadata['Name']}-{distribution.version}.dist-info"
        texts = [
            path.read_text(errors="replace") for path in info.rglob("*") if path.is_file() and licenses.LICENSE_FILE.fullmatch(path.name)
        ]
        metadata = distribution.metadata
        classifiers = [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
        count += 1
        if licenses.of_distribution(metadata["License-Expression"], metadata["License"], classifiers, texts) is None:
            unknown.append(metadata["Name"])
    assert count > 50
    assert len(unknown) <= 0.1 * count, unknown
