"""Training one trial after another on one device; knows nothing of HTTP."""
