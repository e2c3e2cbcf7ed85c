"""What is compiled where there is a C compiler; everything else about the package stands in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension("trailwatch.detect._glance", ["src/trailwatch/detect/_glance.pyx"], optional=True),
    ],
)
