"""Every reported case. They were written, with their right answers, before a rule was changed for
any of them.

`judgement.py` has the reports that were judged wrongly, `ill_kinds.py` and `healthy_kinds.py` have
a hundred of their kinds; about half of all are healthy. An answer is right if the state is one of
those that the case allows, every code that must be raised is, none that must not be is, and what is
changed undoes the cause. The fault belongs to the run: where a case allows that a seed learns well
and it does, the run counts as healthy.
"""

from __future__ import annotations

from .case import Reported
from .healthy_kinds import healthy_kinds
from .ill_kinds import ill_kinds
from .judgement import judgement


def all_reported() -> list[Reported]:
    """Every case: the table of judgement, then ill and healthy ones of its kinds."""
    return [*judgement(), *ill_kinds(), *healthy_kinds()]
