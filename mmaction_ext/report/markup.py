"""The templates of the page, and what they call by name."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mmaction_ext.report.addresses import absent_run_id, run_id, section_id, seeds_id
from mmaction_ext.tables.render.html import environment
from mmaction_ext.tables.render.text import one_line
from mmaction_ext.tracking.reading.record import is_web_address

_TEMPLATES = environment(Path(__file__).with_name('templates'))


def render(template: str, **facts: object) -> Markup:
    """HTML, or the script, of a template.

    Args:
        template: name of its file below ``templates``.
        facts: what it says; texts in it are escaped, but for what was rendered already.
    """
    return Markup(_TEMPLATES.get_template(template).render(facts).strip())


def breakable(text: str | None) -> Markup:
    """Text that may break after the slashes of a path."""
    return Markup('/<wbr>').join(one_line(text or '').split('/'))


def known(facts: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Names and values of some facts, sorted; those that nobody knows are left out."""
    return sorted(
        ((str(name), value) for name, value in facts.items() if value is not None),
        key=lambda fact: fact[0],
    )


def with_commas(counts: Mapping[str, object]) -> dict[str, object]:
    """Counts with a comma after the thousands; what is none is as it was."""
    return {
        name: f'{value:,}' if isinstance(value, int) else value for name, value in counts.items()
    }


def rounded(metrics: Mapping[str, object]) -> dict[str, object]:
    """Metrics with six digits; what is no such number is as it was."""
    return {
        name: f'{value:.6g}' if isinstance(value, float) else value
        for name, value in metrics.items()
    }


def moment(seconds: float | None) -> str:
    """A time since the epoch, to the second; empty for one beyond the calendar."""
    if seconds is None or not math.isfinite(seconds):
        return ''
    try:
        time = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return ''
    return f'{time:%Y-%m-%d %H:%M:%S} UTC'


_TEMPLATES.policies['json.dumps_kwargs'] = dict(
    sort_keys=True, separators=(',', ':'), allow_nan=False
)
_TEMPLATES.filters.update(
    breakable=breakable, known=known, moment=moment, rounded=rounded, with_commas=with_commas
)
_TEMPLATES.tests.update(digest=re.compile('[0-9a-f]{24,}').fullmatch, web_address=is_web_address)
_TEMPLATES.globals.update(
    absent_run_id=absent_run_id, run_id=run_id, section_id=section_id, seeds_id=seeds_id
)
