"""Figures that Optuna does not have, drawn as Plotly reads them: plain dicts, no I/O."""
