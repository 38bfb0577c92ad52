"""A job in one sentence, and what is said of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from chronos_py.model.job import Counters, Definition
from chronos_py.model.secrets import mask_text
from chronos_py.services.schedules import describe_definition
from chronos_py.web.words import segment

_LONGEST_COMMAND = 90
_MOST_PARENTS = 4


def sentence(definition: Definition, rules: Mapping[str, str]) -> Markup:
    """What the job is. ``rules`` say when one with several parents runs, such as "once all have succeeded"."""
    return Markup("").join(
        (_what(definition), _where(definition), Markup(", "), _when(definition, rules), Markup("."))
    )


def _what(definition: Definition) -> Markup:
    if not definition.command:
        image = definition.container.image if definition.container else ""
        return Markup("Runs what the image <code>{}</code> is for").format(image or "of the pool")
    lines = mask_text(definition.command.strip()).splitlines()
    first = lines[0] if lines else ""
    shown = first if len(first) <= _LONGEST_COMMAND else first[: _LONGEST_COMMAND - 1] + "…"
    more = f" and {len(lines) - 1} more {'line' if len(lines) == 2 else 'lines'}" if len(lines) > 1 else ""
    return Markup("Runs <code>{}</code>{}").format(shown, more)


def _where(definition: Definition) -> Markup:
    image = definition.container.image if definition.container else ""
    words = Markup(" in <code>{}</code>").format(image) if image and definition.command else Markup("")
    return words + (Markup(" as {}").format(definition.user) if definition.user else Markup(""))


def _when(definition: Definition, rules: Mapping[str, str]) -> Markup:
    if definition.kind == "schedule":
        words = describe_definition(definition)
        zone = definition.schedule_time_zone
        return escape(_lowered(words) + (f" ({zone})" if zone and zone not in words else ""))
    if definition.kind == "manual":
        return escape("only when somebody asks for it")
    parents = [job_link(name) for name in definition.parents[:_MOST_PARENTS]]
    more = len(definition.parents) - len(parents)
    words = Markup("after ") + _listed([*parents, *([escape(f"{more} more")] if more else [])])
    rule = rules.get(definition.trigger_rule, "") if len(definition.parents) > 1 else ""
    return words + (f", {rule}" if rule else "")


def _lowered(words: str) -> str:
    """A sentence within another one; a name at its beginning (R5/..., UTC) stays as it is."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def job_link(name: str) -> Markup:
    return Markup('<a href="/jobs/{}">{}</a>').format(segment(name), name)


def _listed(items: Sequence[Markup]) -> Markup:
    if len(items) < 2:
        return Markup("").join(items)
    return Markup(", ").join(items[:-1]) + Markup(" and ") + items[-1]


def success_rate(counters: Counters) -> str:
    """How many of all ended runs succeeded, "" before the first."""
    total = counters.success_count + counters.error_count
    if not total:
        return ""
    share = counters.success_count / total
    shown = f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"
    if shown == "100.0%":
        shown = "99.9%"  # not everything
    return f"{shown} of {total:,} {'run' if total == 1 else 'runs'}"
