"""Licences found in unpacked Debian source packages against what their maintainers list per file in debian/copyright (DEP-5).

    mkdir sources && cd sources && apt-get source musl jq rails grpc ...    # with deb-src entries; unpacks NAME-VERSION folders
    python bench/licenses.py sources

The packages' own `debian` folders are hidden from detection. Printed per package and in all: source files that both let in, that only
we let in, that only Debian's list would let in, that neither does, by params.yaml's `licenses.allow`; then what only we let in, by both
statements, to be looked at one by one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import params as settings
from snow.corpus import collect, folders, languages, license_files, licenses, terms
from snow.corpus.exclusions import Exclusions
from snow.corpus.units import Refusal, Repository

KINDS = ("both", "only here", "only there", "neither", "not listed")


def of_package(name: str, repository: Repository, listed: str, rules: collect.Rules) -> Iterator[tuple[str, str | None, str | None]]:
    """(kind, licence found, licence listed) of every source file of a package."""
    entries = list(license_files.per_path("debian/copyright", listed))
    files = [path for path in repository.files if not path.startswith(("debian/", ".pc/"))]
    hidden = Repository(files, repository.read)
    tally = collect.Tally()
    documents = collect.repository_documents(name, hidden, rules, None, Exclusions(), collect.Stated(), tally)
    found = {row["path"]: row["license"] for row in documents}
    of = terms.terms(files, repository.read).of
    for path, content in repository.read(frozenset(files)):
        text = collect.text_of(content) if isinstance(content, bytes) else content
        if isinstance(text, Refusal) or languages.language_of(path, text) not in rules.languages:
            continue
        expression, words = next(((entry[2], entry[3]) for entry in entries if entry[0].fullmatch(path)), (None, None))
        allowed = None if expression is None else licenses.permitted(expression, rules.licenses)
        own = of(path)
        yield _kind(path in found, allowed), found.get(path, own and own.expression), words


def _kind(here: bool, there: bool | None) -> str:
    if there is None:
        return "not listed"
    return ("both" if there else "only here") if here else ("only there" if there else "neither")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    params = settings.load(Path("params.yaml"))
    allowed = frozenset(name.casefold() for name in params.licenses.allow)
    rules = collect.Rules(languages.known(params.languages), allowed, scripts=True)
    totals: Counter[str] = Counter()
    only_here: Counter[tuple[str, str | None, str | None]] = Counter()
    seconds = 0.0
    print(f"{'package':28}", *(f"{kind:>11}" for kind in KINDS))
    for folder in sorted(path for path in parser.parse_args().sources.iterdir() if (path / "debian/copyright").is_file()):
        listed = (folder / "debian/copyright").read_text(errors="replace")
        if not list(license_files.per_path("debian/copyright", listed)):
            continue
        (unit,) = folders.folder_units("sources", (str(folder),))
        repository = unit.open()
        assert isinstance(repository, Repository)
        started = time.process_time()
        answers = list(of_package(folder.name, repository, listed, rules))
        seconds += time.process_time() - started
        counts = Counter(kind for kind, _, _ in answers)
        totals += counts
        only_here.update((folder.name, here, there) for kind, here, there in answers if kind == "only here")
        print(f"{folder.name[:28]:28}", *(f"{counts[kind]:11}" for kind in KINDS))
    print(f"{'all':28}", *(f"{totals[kind]:11}" for kind in KINDS), f"  {seconds:.0f} CPU-s")
    print("\nonly here:")
    for (package, here, there), count in only_here.most_common():
        print(f"{count:6}  {package}: {here}, listed as {there}")


if __name__ == "__main__":
    main()
