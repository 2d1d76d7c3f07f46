"""The experiments: arms side by side, each beside the paper's row where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow import paper
from snow.report import bits, passing
from snow.report.content import Column, Section, Table, columns
from snow.report.format import INAPPLICABLE
from snow.report.receipts import pick
from snow.report.run import Run, listed

if TYPE_CHECKING:
    from snow import arms

RATE = (("value", "pass@1"), ("low", "from"), ("high", "to"))  # keys and labels of a rate and its 95% interval


def sections(run: Run) -> list[Section]:
    """A section for every experiment. SnowError when one names a table or a row that the paper does not have."""
    return [_section(run, name, asked) for name, asked in run.declared.report.experiments.items()]


def _section(run: Run, name: str, asked: arms.Table) -> Section:
    differing = [bits.WORDS.get(key, key) for key in run.differing(*asked.arms)]
    words = f"{len(asked.arms)} models, which differ in {f'{listed(differing)} and in nothing else' if differing else 'no param'}."
    return Section(f"experiment-{name}", asked.title, [words, _table(run, name, asked)])


def _table(run: Run, name: str, asked: arms.Table) -> Table:
    """A row for every arm, and under it for each of its replicas that is no arm itself."""
    printed = paper.printed(asked.paper) if asked.paper else None
    rows: list[tuple[Any, ...]] = []
    texts, rates = bits.texts_of(run, languages=False), _rates(run, asked)
    for arm, printed_row in asked.arms.items():
        scores = paper.row(asked.paper, printed_row) if printed_row else (INAPPLICABLE,) * (len(printed.columns) if printed else 0)
        for model in (arm, *(other for other in run.replicas(arm) if other not in asked.arms)):
            facts = run.trained(model)
            rows.append(
                (
                    model,
                    run.origin(model),
                    run.documents(model),
                    *(pick(facts, key) for key in ("tokens", "passes", "flop")),
                    *(bits.value_of(run, model, path) for _, path in texts),
                    *(pick(run.receipts.one("preference", f"{model}/{suite}"), "value") for suite in run.suites),
                    *(pick(run.receipts.one("judge", f"{model}/{suite}"), "pass@1", part, key) for suite, part in rates for key, _ in RATE),
                    *(scores if model == arm else (INAPPLICABLE,) * len(scores)),
                )
            )
    heads = [
        *columns("text", model="model", begin_from="begins from", train_on="trains on"),
        *columns("count", tokens="tokens trained"),
        *columns("general", passes="passes"),
        *columns("power", flop="FLOP (6ND)"),
        *(Column(f"bits:{path[-1]}", text, "decimal", "bits per byte") for text, path in texts),
        *(Column(f"preference:{suite}", suite, "fraction", "right is more likely") for suite in run.suites),
        *(Column(f"{suite}:{part}:{key}", label, "fraction", f"{suite}, {part}") for suite, part in rates for key, label in RATE),
        *(Column(f"paper:{one}", one, paper.kind(one), f"the paper's Table {asked.paper}") for one in (printed.columns if printed else ())),
    ]
    notes = ["From and to bound the 95% interval of pass@1; where two overlap, the difference is no evidence of one."]
    notes.append("How often a right solution is more likely than a broken one is 50% for a model that knows nothing.")
    if printed:
        notes.append(f"The paper's Table {asked.paper} is of {printed.title}, in percent. {paper.SCALE}")
    notes += [told for arm in asked.arms for told in bits.spread(run, arm)]
    strong = frozenset(index for index, row in enumerate(rows) if row[0] in asked.arms) if len(rows) > len(asked.arms) else frozenset()
    return Table(f"experiment:{name}", asked.title, heads, rows, notes, strong=strong)


def _rates(run: Run, asked: arms.Table) -> list[tuple[str, str]]:
    """(suite, part) of everything pass@1 is known of."""
    judged = ((suite, run.receipts.one("judge", f"{arm}/{suite}")) for suite in run.suites for arm in asked.arms)
    return list(dict.fromkeys((suite, part) for suite, facts in judged for part in passing.rates(facts)))
