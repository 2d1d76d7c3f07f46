"""How often code is cut out of an answer wrongly: `python bench/answers.py [FOLDER...]`, beside CommonMark's own reading.

Files that people wrote, of the folders given or else of the standard library, are put into answers as models write them. Right is
an answer of which the file comes back, byte for byte. The peer reads fences as CommonMark does (markdown-it-py) and takes the longest
block in the language, as `snow` did before with a pattern of its own. Files that do not parse here are left out, and counted.
"""

from __future__ import annotations

import argparse
import random
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow.corpus import languages
from snow.synthesis import extract, markup, syntax

FILES = 60  # of each language
SIZE = 6000  # bytes at most; an answer of 2,000 tokens
DRAFT = "First I would write:\n```{tag}\n{code}\n// TODO: this draft is wrong and longer than the answer\n```\nNo, that is wrong.\n"
TALK = "\nThis program does what you asked for, and it's commented. Hope this helps!\n"
LISTING = "\nIt prints:\n```\n" + "one two three four five six seven eight nine ten\n" * 120 + "```\n"
OWN = "fences of the file's own"  # the only style for files that have some
COMMENTS = {
    "Python": '"""{}"""\n',
    "Ruby": "=begin\n{}=end\n",
    "Shell": ": <<'END'\n{}END\n",
    "Jupyter Notebook": "",
}  # of the others /* */


def documented(code: str, language: str, fences: str) -> str:
    """The file with a comment that holds fences at the start of lines."""
    comment = COMMENTS.get(language, "/*\n{}*/\n").format(fences)
    first, rest = code.split("\n", 1)
    return f"{code}\n{comment}" if language == "Python" else f"{first}\n{comment}{rest}" if first[:2] in ("#!", "<?") else comment + code


STYLES: dict[str, Callable[[str, str, str], tuple[str, str]]] = {  # (file, its language, its tag) -> (answer, what is right)
    "plain": lambda code, language, tag: (f"Sure!\n\n```{tag}\n{code}```\n{TALK}", code),
    OWN: lambda code, language, tag: (f"Sure!\n\n```{tag}\n{code}```\n{TALK}", code),
    "CRLF": lambda code, language, tag: (f"Sure!\n\n```{tag}\n{code}```\n{TALK}".replace("\n", "\r\n"), code),
    "tildes": lambda code, language, tag: (f"Sure!\n\n~~~{tag}\n{code}~~~\n{TALK}", code),
    "title": lambda code, language, tag: (f'Sure!\n```{tag} title="main"\n{code}```\n{TALK}', code),
    "no name": lambda code, language, tag: (f"Sure!\n```\n{code}```\n{TALK}", code),
    "in a list": lambda code, language, tag: (
        f"1. The program:\n\n   ```{tag}\n" + "".join(f"   {line}\n" for line in code.splitlines()) + f"   ```\n{TALK}",
        code,
    ),
    "longer listing": lambda code, language, tag: (f"```{tag}\n{code}```\n{LISTING}", code),
    "fence inside, with a name": lambda code, language, tag: inside(code, language, tag, "Use:\n\n```sh\nmake all\n```\n", "```"),
    "fence inside, without": lambda code, language, tag: inside(code, language, tag, "Use:\n\n```\nmake all\n```\n", "```"),
    "four backticks": lambda code, language, tag: inside(code, language, tag, "Use:\n\n```\nmake all\n```\n", "````"),
    "begun in the question": lambda code, language, tag: (f"{code}```\n{TALK}", code),
    "reasoning": lambda code, language, tag: (f"<think>\n{DRAFT.format(tag=tag, code=code)}</think>\n\n```{tag}\n{code}```\n", code),
    "reasoning, begun in the question": lambda code, language, tag: (
        f"{DRAFT.format(tag=tag, code=code)}</think>\n\n```{tag}\n{code}```\n",
        code,
    ),
    "reasoning without an end": lambda code, language, tag: (f"<think>\n{DRAFT.format(tag=tag, code=code)}", ""),
}


def inside(code: str, language: str, tag: str, fences: str, mark: str) -> tuple[str, str]:
    """An answer with the documented file between fences of `mark`."""
    whole = documented(code, language, fences)
    return f"Sure!\n\n{mark}{tag}\n{whole}{mark}\n{TALK}", whole


def commonmark(answer: str, language: str) -> str:
    """The longest block that names the language, else the longest, else all, as markdown-it-py reads it."""
    blocks = [token for token in MarkdownIt("commonmark").parse(answer) if token.type == "fence"]
    own = [token.content for token in blocks if markup.language_of(token.info) == language] or [token.content for token in blocks]
    return tidy(max(own, key=len, default=answer))


def tidy(code: str) -> str:
    """The file without trailing spaces and outer blank lines, as all that comes out of an answer."""
    return "\n".join(line.rstrip() for line in code.strip("\n").split("\n")).strip("\n") + "\n"


def programs(folders: list[Path]) -> dict[str, list[str]]:
    """Up to FILES files of each language that there is a parser for."""
    found: dict[str, list[str]] = {}
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    random.Random(0).shuffle(paths)
    for path in paths:
        language = next(iter(languages.candidates(path.name)), None)
        if language in syntax.LANGUAGES and len(found.setdefault(language, [])) < FILES and 200 < path.stat().st_size < SIZE:
            text = path.read_bytes().decode(errors="replace").replace("\r\n", "\n")
            found[language].append(tidy(text))
    return found


def main() -> None:
    """Print how many answers of each style are read wrongly, of how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path(sysconfig.get_path("stdlib"))])
    wrong: dict[str, Counter[str]] = {"snow": Counter(), "CommonMark": Counter()}
    asked: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for language, files in sorted(programs(parser.parse_args().folders).items()):
        readable = [code for code in files if syntax.parses(code, language)]
        unread[language] = len(files) - len(readable)
        print(f"{language}: {len(readable)} files, and {unread[language]} that do not parse")
        for name, style in STYLES.items():
            for code in readable:
                if any(mark in code for mark in ("```", "~~~")) != (name == OWN):
                    continue
                answer, right = style(code, language, languages.extension(language))
                asked[name] += 1
                wrong["snow"][name] += extract.code_of(answer, language, cut=False).text != right
                wrong["CommonMark"][name] += commonmark(answer, language) != right
    for name, number in [*asked.items(), ("all", asked.total())]:
        counts = [which.total() if name == "all" else which[name] for which in wrong.values()]
        print(
            f"{name:33} {number:6} answers, wrong: "
            + ", ".join(f"{who} {n} ({n / number:.1%})" for who, n in zip(wrong, counts, strict=True))
        )


if __name__ == "__main__":
    main()
