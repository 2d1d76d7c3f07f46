"""Licence statements as they occur in package metadata, classifiers and licence files."""

import importlib.metadata
from pathlib import Path

import pytest
from collecting import MIT

from snow.corpus import installed, license_files, license_texts, licenses

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
        ("GPL-2+ with OpenSSL exception", "GPL-2.0-or-later"),  # as Debian writes them, from here
        ("Expat", "MIT"),
        ("GPL-1+ or Artistic, and MIT", "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND MIT"),
        ("BSD-3-clause and/or LGPL-2.1+", "BSD-3-Clause OR LGPL-2.1-or-later"),
        ("Apache License v2.0 with LLVM Exceptions", "Apache-2.0 WITH LLVM-exception"),
        ("UNLICENSED", "LicenseRef-Proprietary"),  # npm's word, not the Unlicense
        ("Proprietary", "LicenseRef-Proprietary"),
        ("Dual License", None),
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


def test_a_licence_may_be_allowed_with_its_exception_alone():
    allow = frozenset({"gpl-2.0-only with classpath-exception-2.0"})
    assert licenses.permitted("GPL-2.0-only WITH Classpath-exception-2.0", allow)
    assert not licenses.permitted("GPL-2.0-only", allow)


@pytest.mark.parametrize(
    ("found", "declared", "expression"),
    [
        (["Apache-2.0 AND BSD-3-Clause AND MPL-2.0"], ["Apache-2.0"], "Apache-2.0"),  # the others are bundled
        (["MIT", "GPL-3.0"], ["MIT"], "MIT AND GPL-3.0"),  # a file of its own
        (["MIT", "GPL-2.0"], ["MIT OR GPL-2.0-only"], "MIT OR GPL-2.0-only"),
        (["GPL-3.0"], ["GPL-3.0-or-later"], "GPL-3.0-or-later"),  # the text does not tell
        (["MIT"], ["GPL-3.0-only"], "MIT AND GPL-3.0-only"),
        (["MIT OR GPL-2.0", "LGPL-3.0"], [], "(MIT OR GPL-2.0) AND LGPL-3.0"),
        (["Apache-2.0 OR LicenseRef-BSD", "Apache-2.0", "BSD-3-Clause"], [], "Apache-2.0 OR BSD-3-Clause"),
        ([], ["MIT"], "MIT"),
        ([], [], None),
    ],
)
def test_several_statements_of_one_folder(found, declared, expression):
    assert licenses.settled(found, declared) == expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (MIT, "MIT"),
        ("Apache License\n        Version 2.0, January 2004\n", "Apache-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 2, June 1991\n", "GPL-2.0"),
        ("Redistribution and use in source and binary forms, with or without ... are permitted: 1. 2.", "BSD-2-Clause"),
        ("Redistribution and use in source and binary forms ... 3. Neither the name of X", "BSD-3-Clause"),
        (MIT + "\n\nApache License\nVersion 2.0, January 2004\n", "Apache-2.0 AND MIT"),
        ("SPDX-License-Identifier: MIT\n", "MIT"),
        ("MIT\n", "MIT"),
        ("This software is available under the MIT license or, at your option, the GPL version 2.", "MIT OR GPL-2.0-only"),
        ("You may use this under the terms of the GNU General Public License as published by the FSF, version 2.", "GPL-2.0-only"),
        ("Licensed for non-commercial use only.", "LicenseRef-Proprietary"),
        ("Ask us.", None),
    ],
)
def test_whole_texts(text, expression):
    assert license_texts.in_text(text) == expression


def test_a_file_may_state_its_own():
    of = license_texts.in_header
    assert of("/* SPDX-License-Identifier: GPL-2.0-only OR MIT */\nint x;\n") == "GPL-2.0-only OR MIT"
    assert of("#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n") == "Apache-2.0"
    assert of("# SPDX-License-Identifier: LicenseRef-Ours\n") == "LicenseRef-Ours"
    assert of("# SPDX-License-Identifier: whatever we like\n") == "LicenseRef-whatever-we-like"
    assert of('LINE = "text about SPDX-License-Identifier: MIT"\n') is None
    assert of("\n" * 5000 + "# SPDX-License-Identifier: MIT\n") is None


@pytest.mark.parametrize(
    ("header", "expression"),
    [
        ("/* This file is distributed under the terms of the GNU General\n * Public License (GPL), version 2. */", "GPL-2.0-only"),
        ("// Licensed under GPLv2 or later, see file LICENSE in this source tree.", "GPL-2.0-or-later"),
        ("# This library may be used under the GNU LGPL\n# license, version 2.1 or any later version.", "LGPL-2.1-or-later"),
        ("/* Dual licensed under the MIT or GPL Version 2 licenses. */", "MIT OR GPL-2.0-only"),
        ("# published under GPLv2 license or EPLv1 license", "GPL-2.0-only OR EPL-1.0"),
        ("# Licensed under the GPL version 2 or later, and parts of it under the MIT license.", "GPL-2.0-or-later AND MIT"),
        ("# under the MIT License: https://www.opensource.org/licenses/mit-license.php", "MIT"),
        ("// Distributed under the Boost Software License, Version 1.0.", "BSL-1.0"),
        ('"""Copyright 2020 X. This file is proprietary and confidential."""', "LicenseRef-Proprietary"),
        ("-- This file has been placed in the public domain.", "LicenseRef-Public-Domain"),
        ("// Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.", None),
        ("# Distributed under the same license as SciPy itself.", None),
        ("# Licensed to PSF under a Contributor Agreement.", None),
        ("# Its license must be compatible with the GNU General Public License.", None),
        ("# Copyright 2020 X. All rights reserved.", None),
        ("import gpl  # licensed under the GPL", None),  # not the comment it begins with
    ],
)
def test_a_header_in_words(header, expression):
    assert license_texts.in_header(header + "\n\nx = 1\n") == expression


def test_what_is_declared_counts_before_what_a_wheel_bundles():
    bundled = (
        "Redistribution and use in source and binary forms... neither the name of ... GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"
    )
    of = installed.of_distribution
    assert of("bsd-3-clause", "GPL", [], [bundled]) == "BSD-3-Clause"
    assert of(None, "BSD", ["License :: OSI Approved :: BSD License"], [bundled]) == "BSD-3-Clause"  # the text says which BSD
    assert of(None, "BSD", [], []) == "LicenseRef-BSD"
    assert of(None, bundled + "\nmore", ["License :: OSI Approved :: MIT License"], []) == "MIT"
    assert (
        of(None, "Dual License", ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: Apache Software License"], [])
        == "MIT AND Apache-2.0"
    )
    assert of(None, None, ["License :: OSI Approved"], [MIT]) == "MIT"
    assert of(None, "Proprietary", [], []) == "LicenseRef-Proprietary"
    assert of(None, "ask us", [], []) is None


def test_almost_every_installed_distribution_has_a_licence():
    """What a user would see: a package that says its licence somewhere is not dropped as unknown."""
    unknown, count = [], 0
    for distribution in importlib.metadata.distributions():
        info = Path(str(distribution.locate_file(""))) / f"{distribution.metadata['Name']}-{distribution.version}.dist-info"
        texts = [
            path.read_text(errors="replace")
            for path in info.rglob("*")
            if path.is_file() and license_files.place(f"{info.name}/{path.name}")
        ]
        metadata = distribution.metadata
        classifiers = [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
        count += 1
        if installed.of_distribution(metadata["License-Expression"], metadata["License"], classifiers, texts) is None:
            unknown.append(metadata["Name"])
    assert count > 50
    assert len(unknown) <= 0.1 * count, unknown
