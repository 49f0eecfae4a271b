"""What pyproject.toml cannot say: the wheel belongs to a platform and to no Python.

The compiled library is loaded with ctypes and knows nothing of Python, so one wheel serves every Python 3 of a
platform; which instruction set it uses it finds out when it runs.
"""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class PlatformWheel(bdist_wheel):
    """A wheel tagged py3-none-PLATFORM."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"bdist_wheel": PlatformWheel})
