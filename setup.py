"""Packages Slipway; also what Beam ships to remote workers (`--setup_file`), so it must build an sdist anywhere."""

from setuptools import find_packages, setup

setup(
    name="slipway",
    version="0.1.0",
    description="From raw data to a gated, optimized, versioned TensorFlow model in a bucket that TF Serving polls",
    python_requires=">=3.11,<3.12",
    packages=find_packages(
        include=["pipeline*", "components*", "data*", "serving*"],
        exclude=["*.tests*"],
    ),
    include_package_data=True,
    package_data={"pipeline": ["templates/*"], "data": ["schemas/*"]},
    # Nothing is required: versions are pinned, with hashes, in requirements/lock.txt, and overrides that pip does not
    # know are a part of it; a Beam worker that installs this would go looking for others. What Slipway stands on:
    extras_require={
        "environment": [
            "tfx",
            "tensorflow",
            "apache-beam",
            "tensorflow-model-analysis",
            "tensorflow-model-optimization",
            "tensorflow-serving-api",
            "kfp",
            "fsspec",
            "pydantic>=2",
            "pyyaml",
            "rich",
            "typer",
        ]
    },
    entry_points={"console_scripts": ["slipway=pipeline.cli:main"]},
)
