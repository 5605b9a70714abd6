"""Files of forecasts and outcomes, as people have them, become a table of the scoring engine.

A new column needs

- a field in `coliseum.arena.scoring.cells.Cell` and a parameter of `build_table`,
- what it belongs to, in `coliseum.arena.scoring.consistency.LEVELS`, unless it describes the answer,
- how its texts are read, in `values.READERS`,
- a row in docs/scoring.md, "Scoring a file".
"""
