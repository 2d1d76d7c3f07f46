"""How often the language of a file with an ambiguous extension is right: `python bench/languages.py FOLDER [--peer PYTHON] [--wrong]`.

FOLDER holds unpacked packages, each under its Debian or npm name; what a package is written in is the truth (`TRUTH`), so a few
files of another language in one of them count as wrong. With

    apt-get source redis lua5.4 re2 rapidjson leveldb gnustep-base fpc povray swi-prolog verilator yosys coq-stdpp lapack texlive-bin
    apt-get source libxml-perl libmoo-perl; apt-get download octave-statistics octave-image octave-signal gforth gforth-common
    apt-get download texlive-publishers texlive-latex-recommended libcoq-mathcomp-ssreflect povray-includes
    npm pack rxjs@7.8.2

it is the table of docs/filters.md. go-enry, the detector of The Stack v2, is in an interpreter of its own, its classifier included:

    python -m venv /tmp/peer && /tmp/peer/bin/pip install enry-python==0.2.0

With it a second table says how often ours and go-enry call a file of FOLDER vendored or generated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow.corpus import languages, origins

TRUTH = {  # extension: language: packages
    "h": {"C": "redis lua5.4", "C++": "re2 rapidjson leveldb yosys verilator", "Objective-C": "gnustep-base"},
    "m": {"Objective-C": "gnustep-base", "MATLAB": "octave-statistics octave-image octave-signal"},
    "pl": {"Perl": "verilator libxml-perl texlive-bin", "Prolog": "swi-prolog"},
    "pm": {"Perl": "libxml-perl libmoo-perl"},
    "v": {"Verilog": "verilator yosys", "Rocq Prover": "coq-stdpp libcoq-mathcomp-ssreflect"},
    "ts": {"TypeScript": "rxjs"},
    "cls": {"TeX": "texlive-publishers texlive-latex-recommended"},
    "fs": {"Forth": "gforth gforth-common"},
    "inc": {"Pascal": "fpc", "POV-Ray SDL": "povray povray-includes"},
    "f": {"Fortran": "lapack"},
}
ORIGINS = """
import json, sys, enry
paths = json.load(open(sys.argv[1]))
print(json.dumps([[enry.is_vendor(name), enry.is_generated(name, open(path, "rb").read())] for path, name in paths.items()]))
"""
SAME = {"Coq": "Rocq Prover", "Mathematica": "Wolfram Language"}  # a language's names at different times
PEER = """
import json, sys, time, enry
start, found = time.process_time(), []
for path in json.load(open(sys.argv[1])):
    found.append(enry.get_language(path, open(path, "rb").read()))
print(json.dumps([time.process_time() - start, found]))
"""


def texts(folder: Path, packages: str, extension: str) -> dict[str, str]:
    """The files of some packages with an extension that are UTF-8, by path; no two of equal content."""
    found: dict[str, str] = {}
    for package in packages.split():
        for path in sorted((folder / package).rglob(f"*.{extension}")):
            try:
                found.setdefault(path.read_text(encoding="utf-8"), str(path))
            except (OSError, UnicodeDecodeError):
                continue
    return {path: text for text, path in found.items() if text.strip()}


def peer(python: Path, code: str, paths: list[str] | dict[str, str]) -> list[Any]:
    """What code that uses go-enry prints about files."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stored:
        json.dump(paths, stored)
        stored.flush()
        return json.loads(subprocess.run([python, "-c", code, stored.name], capture_output=True, text=True, check=True).stdout)


def compare_origins(folder: Path, python: Path) -> None:
    """Print the table of vendored and generated files; names in their packages are what both look at."""
    found: dict[str, tuple[str, bool, bool]] = {}
    for path in sorted(folder.rglob("*")):
        name = "/".join(path.relative_to(folder).parts[2:])
        known = set(languages.candidates(path.name)) - languages.DATA if name and path.is_file() and not path.is_symlink() else ()
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if known else None
        except UnicodeDecodeError:
            continue
        if lines is not None:
            packed, written = origins.minified(name, lines), origins.generated(name, lines)
            # go-enry knows neither StarCoder2's phrases nor its name of what is minified.
            found[str(path)] = (
                name,
                bool(origins.vendored(name) or packed == "name"),
                packed == "long lines" or written not in ("", "phrase"),
            )
    theirs = peer(python, ORIGINS, {path: one[0] for path, one in found.items()})
    print("\n| | both | ours alone | go-enry alone | neither |\n|---|---:|---:|---:|---:|")
    for place, kind in enumerate(("vendored", "generated")):
        counts = Counter((ours[place + 1], other[place]) for ours, other in zip(found.values(), theirs, strict=True))
        cells = (counts[pair] for pair in ((True, True), (True, False), (False, True), (False, False)))
        print(f"| {kind} | {' | '.join(map(str, cells))} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", type=Path, help="an interpreter with enry-python; without it go-enry is not measured")
    parser.add_argument("--wrong", action="store_true", help="name the files that ours gets wrong")
    options = parser.parse_args()
    spent, size, peer_spent = 0.0, 0, 0.0
    print("| files | in | number | right | none | taken for | go-enry right |\n|---|---|---:|---:|---:|---|---:|")
    for extension, truths in TRUTH.items():
        for language, packages in truths.items():
            files = texts(options.folder, packages, extension)
            if not files:
                print(f"no .{extension} file of {packages} in {options.folder}", file=sys.stderr)
                continue
            start = time.process_time()
            found = {path: languages.language_of(path, text) for path, text in files.items()}
            spent += time.process_time() - start
            size += len(files)
            others = Counter(name for name in found.values() if name and name != language)
            theirs = "not measured"
            if options.peer:
                seconds, names = peer(options.peer, PEER, list(files))
                names = [SAME.get(name, name) for name in names]
                peer_spent += seconds
                theirs = f"{names.count(language) / len(files):.3f}"
            taken = ", ".join(f"{name} {count}" for name, count in others.most_common()) or "-"
            values = list(found.values())
            right, none = values.count(language) / len(files), values.count(None)
            print(f"| .{extension} | {language} | {len(files)} | {right:.3f} | {none} | {taken} | {theirs} |", flush=True)
            if options.wrong:
                print("\n".join(f"{path}: {name}" for path, name in found.items() if name != language), file=sys.stderr)
    print(
        f"\n{spent / size * 1e6:.0f} µs of a processor per file" + (f", go-enry {peer_spent / size * 1e6:.0f} µs" if options.peer else "")
    )
    if options.peer:
        compare_origins(options.folder, options.peer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
