"""What is held out, in words: of which units, and how far its languages weigh as in the corpus. All from the receipt of `holdout`."""

from __future__ import annotations

from snow.corpus.heldout import KINDS
from snow.report.format import INAPPLICABLE, count, percent, size
from snow.report.receipts import Facts, pick
from snow.report.run import listed

ALIKE = 1.5  # a language's share that is held out, over that of the whole corpus or under it, at most, to be called alike


def units(holdout: Facts) -> str:
    """How many units, such as `6 of 80 repositories, and of others 3 folders and 2 files`."""
    whole = f"{count(holdout['heldout_repositories'])} of {count(holdout['repositories'])} repositories"
    parts = [f"{count(holdout[f'heldout_{kind}'])} {kind}" for kind in KINDS[1:] if holdout[f"heldout_{kind}"]]
    return f"{whole}, and of others {listed(parts)}" if parts else whole


def mixed(holdout: Facts) -> str:
    """How the held-out text compares with the corpus, to follow the words `the held-out text`."""
    languages = holdout["bytes"]
    some = {name: facts["heldout"] / facts["total"] for name, facts in languages.items() if facts["heldout"]}
    none = [name for name in languages if name not in some]
    least, most = min(some, key=some.__getitem__), max(some, key=some.__getitem__)
    overall = sum(facts["heldout"] for facts in languages.values()) / sum(facts["total"] for facts in languages.values())
    if not none and some[most] <= ALIKE * overall and overall <= ALIKE * some[least]:
        return f"is drawn like the corpus, about {percent(overall)} of every language"
    also = f" and {percent(some[most])} of those in {most}" if most != least else ""
    lacking = f"; it has nothing of {listed(none)}" if none else ""
    return f"is {percent(some[least])} of the corpus' bytes in {least}{also}, so languages do not weigh in it as in the corpus{lacking}"


def apart(holdout: Facts) -> str:
    """How much of it resembles what is trained on, as a sentence; nothing where whole repositories are held out."""
    held, whole = (sum(facts[key] for facts in holdout["bytes"].values()) for key in ("heldout", "repositories"))
    if held == whole:
        return ""
    return (
        f" Of its bytes {percent(whole / held)} are whole repositories; the rest comes from repositories of which other files are trained "
        "on. Those may resemble it, but no near-duplicate that deduplication finds is among them."
    )


def of_language(facts: Facts | None) -> str:
    """By which units a language is held out, or why not."""
    if facts is None:
        return INAPPLICABLE
    nothing = pick(facts, "nothing")
    if not nothing:
        return listed([kind for kind in KINDS if facts[kind]])
    if nothing["files"] == 1:
        return "nothing: there is one file"
    return f"nothing: the smallest file has {size(nothing['smallest'])}, and {size(nothing['allowed'])} may go"
