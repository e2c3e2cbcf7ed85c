"""What is compiled where there is a C compiler; everything else about the package stands in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(f"trailwatch.detect.{name}", [f"src/trailwatch/detect/{name}.pyx"], optional=True)
        for name in ("_glance", "_columns")
    ],
)
