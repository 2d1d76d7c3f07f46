"""Which language a file is written in: by its name, its extension and, where one extension serves several, its first lines.

Names and extensions are those of GitHub's Linguist, which The Stack and StarCoder2 use; the list covers the paper's 18
languages [P 2.1], what Python distributions ship besides, and common ones a user may add to `languages` in params.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from snow.errors import SnowError

_EXTENSIONS = {
    "Python": "py pyi pyw",
    "Java": "java",
    "C++": "cpp cc cxx c++ hpp hh hxx h++ ipp tpp inl h",
    "C": "c h",
    "JavaScript": "js mjs cjs jsx",
    "PHP": "php phtml",
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
    "HTML": "html htm xhtml",
    "CSS": "css",
    "Assembly": "s asm",
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
}
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
}

# In a .h or .m file: what C has not, and what only Objective-C has. Comments are not removed, so the patterns are whole constructs.
_OBJECTIVE_C = re.compile(r"^\s*(@(interface|protocol|property|class|end)\b|#import\s+[<\"])", re.MULTILINE)
_CPP = re.compile(
    r"^\s*(template\s*<|namespace\s+[\w:]*\s*\{|using\s+(namespace|\w+\s*=)|class\s+\w+[^;(]*[{:]|(public|private|protected)\s*:"
    r"|#\s*include\s*<(\w+|experimental/\w+)>\s*$)|\bstd::\w|\bconstexpr\b|\bstatic_cast<|\boperator\s*(\(\)|[=+*<>\[]+)\s*\(",
    re.MULTILINE,
)
_PREPROCESSED = re.compile(r"^\s*#\s*(include|import)\s*[<\"]", re.MULTILINE)
_MERCURY = re.compile(r"^:-\s*module\b", re.MULTILINE)  # may quote C
_QT_TRANSLATION = re.compile(r"\s*<(\?xml|!DOCTYPE TS|TS\b)")


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


def extension(language: str) -> str:
    """The usual file extension of a language, without the dot; `txt` for one that is not known."""
    return _EXTENSIONS.get(language, "txt").split()[0]


def candidates(path: str) -> tuple[str, ...]:
    """The languages a file of this name can be in, () for none; only `.h` has more than one."""
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    if name in _BY_FILENAME:
        return _BY_FILENAME[name]
    return _BY_EXTENSION.get(extension.lower(), ()) if dot and stem else ()


def language_of(path: str, content: str) -> str | None:
    """The language of one file, or None; the content decides between C, C++ and Objective-C headers, and unmasks the `.m` of MATLAB,
    Mathematica and Mercury, the `.mm` of FreeMind and the `.ts` of Qt."""
    possible = candidates(path)
    if len(possible) > 1:
        if _OBJECTIVE_C.search(content):
            return "Objective-C"
        return "C++" if _CPP.search(content) else "C"
    if possible == ("Objective-C",):
        is_mercury = _MERCURY.search(content) is not None
        return "Objective-C" if (_OBJECTIVE_C.search(content) or _PREPROCESSED.search(content)) and not is_mercury else None
    if possible == ("TypeScript",) and _QT_TRANSLATION.match(content):
        return None
    return possible[0] if possible else None
