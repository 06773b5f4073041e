"""The data gate: anomalies stop the run before training."""
