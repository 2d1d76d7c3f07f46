"""Which language a file is written in: by its name, its extension and, where one extension serves several, its first lines.

Names and extensions are those of GitHub's Linguist, which The Stack and StarCoder2 use; the list covers the paper's 18
languages [P 2.1], what Python distributions ship besides, common ones a user may add to `languages` in params.yaml, those that share an
extension with one of them, and those that rules of `filters` are about.
"""

from __future__ import annotations

from collections.abc import Iterable

from snow.corpus import ambiguous
from snow.errors import SnowError

_EXTENSIONS = {
    "Python": "py pyi pyw",
    "Java": "java cls",
    "C++": "cpp cc cxx c++ hpp hh hxx h++ ipp tpp inl h inc",
    "C": "c h inc",
    "JavaScript": "js mjs cjs jsx",
    "PHP": "php phtml inc",
    "C#": "cs",
    "Go": "go",
    "TypeScript": "ts mts cts tsx",
    "SQL": "sql",
    "Ruby": "rb rake gemspec",
    "Rust": "rs",
    "Jupyter Notebook": "ipynb",
    "Scala": "scala sc",
    "Kotlin": "kt kts",
    "Shell": "sh bash zsh ksh",
    "Dart": "dart",
    "Swift": "swift",
    "Cython": "pyx pxd pxi",
    "Fortran": "f f77 for f90 f95 f03 f08",
    "CUDA": "cu cuh",
    "HTML": "html htm xhtml inc",
    "CSS": "css",
    "Assembly": "s asm inc",
    "Clojure": "clj cljc cljs",
    "CMake": "cmake",
    "Elixir": "ex exs",
    "Erlang": "erl hrl",
    "Haskell": "hs",
    "Julia": "jl",
    "Lua": "lua",
    "Markdown": "md markdown",
    "Objective-C": "m mm h",
    "OCaml": "ml mli",
    "Perl": "pl pm",
    "PowerShell": "ps1 psm1",
    "R": "r",
    "Solidity": "sol",
    "Verilog": "v sv svh",
    "VHDL": "vhd vhdl",
    "Zig": "zig",
    "Apex": "apex trigger cls",
    "BitBake": "bb bbclass inc",
    "F#": "fsx fsi fs",
    "Filterscript": "fs",
    "Forth": "fth 4th forth f for fs",
    "GLSL": "glsl vert frag geom comp fs",
    "MATLAB": "matlab m",
    "Mercury": "moo m",
    "NASL": "nasl inc",
    "ObjectScript": "cls",
    "OpenEdge ABL": "p w cls",
    "Pascal": "pas pp dpr lpr inc",
    "PLpgSQL": "pgsql sql",
    "PLSQL": "pks pkb pls plsql sql",
    "POV-Ray SDL": "pov inc",
    "Prolog": "prolog yap pl",
    "Raku": "raku rakumod p6 pm6 pl pm",
    "Rocq Prover": "coq v",
    "SourcePawn": "sp inc",
    "SQLPL": "db2 sql",
    "TeX": "tex sty dtx ltx cls",
    "TSQL": "sql",
    "V": "vsh v",
    "VBA": "vba cls",
    "Wolfram Language": "wl wls nb m",
    "Motorola 68K Assembly": "x68",
    "WebAssembly": "wat wast",
    "Graphviz (DOT)": "gv dot",
    "JSON": "json",
    "Roff": "roff tmac nr",
    "Roff Manpage": "man mdoc",
    "SMT": "smt2 smt",
    "Text": "txt",
    "Web Ontology Language": "owl",
    "XML": "xml xsd xsl xslt ts tsx mm rs",
    "YAML": "yaml yml",
}
DATA = frozenset(("Graphviz (DOT)", "JSON", "Roff", "Roff Manpage", "SMT", "Text", "Web Ontology Language", "XML", "YAML"))  # no programs
_FILENAMES = {
    "Ruby": "Rakefile Gemfile Podfile Vagrantfile Guardfile",
    "Shell": ".bashrc .bash_profile .profile .zshrc PKGBUILD",
    "Python": "SConstruct SConscript wscript",
    "CMake": "CMakeLists.txt",
}
_ALIASES = {  # names other data sets use
    "c-sharp": "C#",
    "csharp": "C#",
    "cpp": "C++",
    "c plus plus": "C++",
    "golang": "Go",
    "js": "JavaScript",
    "ts": "TypeScript",
    "tsx": "TypeScript",
    "py": "Python",
    "python3": "Python",
    "bash": "Shell",
    "sh": "Shell",
    "jupyter": "Jupyter Notebook",
    "jupyter-notebook": "Jupyter Notebook",
    "cuda c++": "CUDA",
    "objc": "Objective-C",
    "objective-c++": "Objective-C",  # what .mm files are to Linguist
    "f-sharp": "F#",
    "fsharp": "F#",
    "coq": "Rocq Prover",
    "mathematica": "Wolfram Language",
    "octave": "MATLAB",
    "perl 6": "Raku",
}


def _index(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    index: dict[str, tuple[str, ...]] = {}
    for language, words in table.items():
        for word in words.split():
            index[word] = (*index.get(word, ()), language)
    return index


_BY_EXTENSION = _index(_EXTENSIONS)
_BY_FILENAME = _index(_FILENAMES)
_CANONICAL = {name.casefold(): name for name in _EXTENSIONS} | _ALIASES


def canonical(name: str) -> str | None:
    """The spelling used here of a language's name or alias (`cpp`, `python`, `C-Sharp`), or None for one that is not known."""
    return _CANONICAL.get(name.strip().casefold())


def known(names: Iterable[str]) -> frozenset[str]:
    """`names` of params.yaml as a set; SnowError for a name no file could ever have."""
    wanted = frozenset(names)
    unknown = sorted(wanted - _EXTENSIONS.keys())
    if unknown:
        raise SnowError(f"languages: {', '.join(unknown)} is not known; known are {', '.join(_EXTENSIONS)}")
    return wanted


def existing(name: str) -> str:
    """A language's name; ValueError for one that no file could ever have."""
    if name not in _EXTENSIONS:
        meant = canonical(name)
        advice = f"write {meant}" if meant else f"known are {', '.join(_EXTENSIONS)}"
        raise ValueError(f"{name} is no language that is known here; {advice}")
    return name


def extension(language: str) -> str:
    """The usual file extension of a language, without the dot; `txt` for one that is not known."""
    return _EXTENSIONS.get(language, "txt").split()[0]


def candidates(path: str) -> tuple[str, ...]:
    """The languages a file of this name can be in, the commonest first; () for none."""
    name = path.rpartition("/")[2]
    return _BY_FILENAME[name] if name in _BY_FILENAME else _BY_EXTENSION.get(_extension(name), ())


def language_of(path: str, content: str) -> str | None:
    """The language of one file, or None; its content decides where files of several languages have its extension."""
    name = path.rpartition("/")[2]
    if name not in _BY_FILENAME and (extension := _extension(name)) in ambiguous.EXTENSIONS:
        return ambiguous.language_of(extension, content)
    return next(iter(candidates(path)), None)


def _extension(name: str) -> str:
    stem, _, extension = name.rpartition(".")
    return extension.lower() if stem else ""
