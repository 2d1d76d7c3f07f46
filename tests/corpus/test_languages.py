"""Where several languages share an extension, a file's content says which it is in, in bounded time whatever the content."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from snow.corpus import ambiguous, languages

SHARED = [
    ("x.h", "#pragma once\nnamespace a {\nclass B;\n}\n", "C++"),
    ("x.h", "#include <vector>\nint f(void);\n", "C++"),
    ("x.h", "#include <stdio.h>\nstruct a { int class_; };\n/* class of things */\n", "C"),
    ("x.h", "#import <Foundation/Foundation.h>\n@interface A\n@end\n", "Objective-C"),
    ("View.m", '#import "View.h"\n@implementation View\n@end\n', "Objective-C"),
    ("main.m", "#include <stdio.h>\nint main(void) { return 0; }\n", "Objective-C"),
    ("Bridge.mm", "// bridge\n#include <vector>\nstd::vector<int> v;\n", "Objective-C"),
    ("plan.mm", '<map version="1.0.1">\n<node TEXT="plan"/>\n</map>\n', "XML"),
    ("solve.m", "% solves\nfunction x = solve(a, b)\n  x = a \\ b;\nend\n", "MATLAB"),
    ("plot.m", "# Octave\nf = @(x) x.^2;\n", "MATLAB"),
    ("Series.m", '(* ::Package:: *)\nBeginPackage["Series`"]\n', "Wolfram Language"),
    ("queue.m", ':- module queue.\n:- pragma foreign_decl("C", "\n#include <stdio.h>\n").\n', "Mercury"),
    ("notes.m", "nothing to tell it by\n", None),
    ("a.pl", "use strict;\nmy %seen;\n", "Perl"),
    ("a.pl", "#!/usr/bin/swipl\n:- use_module(library(lists)).\nlen([], 0).\n", "Prolog"),
    ("a.pl", "sentence --> noun, verb.\n", "Prolog"),
    ("a.pl", "p(X) :- ( X > 1 -> true ; fail ).\n", "Prolog"),
    ("a.pl", "print 'hello';\n", "Perl"),
    ("a.pl", "use v6;\nsay 'hello';\n", "Raku"),
    ("A.pm", "unit class A;\nhas $.b;\n", "Raku"),
    ("a.v", "(* keep *) module top(input clk);\nendmodule\n", "Verilog"),
    ("a.v", "From stdpp Require Import list.\nLemma a : True.\nProof. done. Qed.\n", "Rocq Prover"),
    ("a.v", "module main\n\nfn main() {\n\tprintln('hello')\n}\n", "V"),
    ("a.sql", "SELECT 1;\n", "SQL"),
    ("a.sql", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql;\n", "PLpgSQL"),
    ("a.sql", "DECLARE @n int;\nSELECT * FROM [dbo].[t]\nGO\n", "TSQL"),
    ("a.sql", "SELECT seq.nextval FROM dual;\n", "PLSQL"),
    ("de.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n', "XML"),
    ("a.ts", "export const a: Array<T> = [];\n", "TypeScript"),
    ("a.cls", "\\NeedsTeXFormat{LaTeX2e}\n\\ProvidesClass{a}\n", "TeX"),
    ("A.cls", "public with sharing class A {\n}\n", "Apex"),
    ("A.cls", "VERSION 1.0 CLASS\nBEGIN\nEND\n", "VBA"),
    ("A.cls", "package a.b;\n\npublic class A {}\n", "Java"),
    ("a.fs", "module A\nlet b = 1\n", "F#"),
    ("a.fs", "#version 330\nuniform mat4 m;\nvoid main() {}\n", "GLSL"),
    ("a.fs", "\\ squares\n: square dup * ;\n", "Forth"),
    ("a.inc", "<?php\n$a = 1;\n", "PHP"),
    ("a.inc", "procedure f(a: integer);\nbegin\n  a := 1;\nend;\n", "Pascal"),
    ("a.inc", '#include "b.h"\nstatic int f(void)\n{\n}\n', "C"),
    ("a.inc", "std::string a;\n", "C++"),
    ("a.inc", "        mov eax, 1\n        ret\n", "Assembly"),
    ("a.inc", 'SRC_URI = "https://example.org/a.tar.gz"\ninherit autotools\n', "BitBake"),
    ("a.inc", "#declare A = 1;\n", "POV-Ray SDL"),
    ("a.f", "      program a\n      end\n", "Fortran"),
    ("a.cs", "using System;\n", "C#"),
]


@pytest.mark.parametrize(("path", "content", "language"), SHARED)
def test_the_content_says_which_of_the_languages_it_is(path: str, content: str, language: str | None) -> None:
    assert languages.language_of(path, content) == language


def test_what_a_file_can_turn_out_to_be_is_what_its_name_may_be() -> None:
    for extension, possible in ambiguous.languages().items():
        assert set(languages.candidates(f"a.{extension}")) == set(possible), extension


def test_headers_of_the_interpreter_are_c() -> None:
    include = Path(sys.base_prefix) / "include" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not (include / "Python.h").exists():
        pytest.skip("this interpreter came without headers")
    found = [languages.language_of(path.name, path.read_text()) for path in include.glob("*.h")]
    assert found.count("C") > 0.95 * len(found)


HOSTILE = (
    "\n",
    " ",
    "\t \n",
    "a",
    "a ",
    "a(",
    "f(x)\n",
    "class a ",
    "public ",
    "template\n",
    "a=",
    "$a{",
    "end ",
    "(* ",
    "module a ",
    "AS \n",
)


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_file_takes_less_than_a_second(part: str) -> None:
    text = part * (3_000_000 // len(part))
    for extension in ambiguous.EXTENSIONS:
        start = time.process_time()
        ambiguous.language_of(extension, text)
        assert time.process_time() - start < 1, extension
