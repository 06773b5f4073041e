"""Compile the pipeline, submit it to Kubeflow Pipelines and follow the run: `python run_kubeflow.py --host URL`."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    main(["kubeflow", "submit", *sys.argv[1:]])
