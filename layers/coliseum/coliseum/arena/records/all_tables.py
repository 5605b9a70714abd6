"""All tables of the arena through one store, for code that works on several of them.

The files of this folder and `paper/records.py` are the only ones that know the arena's tables.
"""

from __future__ import annotations

from coliseum.arena.records.agents import AgentRecords
from coliseum.arena.records.claims import ClaimRecords
from coliseum.arena.records.decisions import DecisionRecords
from coliseum.arena.records.results import ResultRecords
from coliseum.arena.records.rounds import RoundRecords


class ArenaRecords(AgentRecords, RoundRecords, DecisionRecords, ResultRecords, ClaimRecords):
    """Reads and writes of the arena's tables, the paper accounts' aside: those are `paper.records.PaperRecords`."""
