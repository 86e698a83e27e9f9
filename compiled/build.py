"""`python -m compiled.build`: compiles the hot modules with mypyc and a C compiler.

Exit status: 0 when there is a build of these sources; 1 when the compiler refused them; 3 when this machine lacks
what it takes, which is said in one line. The program runs without a build, only slower.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from compiled import BUILDS, FINISHED, ROOT, build_directory
from compiled.modules import PACKAGES, hot_modules

LACKING: Final = 3
GROUP: Final = "loyalty_hot"
"""Names the library that holds the code of all compiled modules."""
_COMPILE: Final = """
import os, subprocess, sys
from mypyc.build import mypycify
from setuptools import Distribution

group, target, work, training, *modules = sys.argv[1:]
extensions = mypycify(modules, group_name=group, opt_level="3", debug_level="0", multi_file=True, target_dir=work)
(library,) = [extension for extension in extensions if extension.name.startswith(group)]
usual = [*library.extra_compile_args, "-fvisibility=hidden"]

def build(*flags):
    library.extra_compile_args, library.extra_link_args = [*usual, *flags], [*flags]
    distribution = Distribution({"ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp, command.parallel, command.force = target, work, 2, True
    command.ensure_finalized()
    command.run()

def trained():
    there = {**os.environ, "PYTHONPATH": training, "LOYALTY_COMPILED": os.path.abspath(target)}
    done = subprocess.run([sys.executable, "-m", "loyalty.training"], cwd=training, env=there)
    return done.returncode == 0

# The sample is one operator's month: what it does not reach is not cold, only unknown. And the compiler's counts are
# not exact: parted from the rest by them, half of what runs once a row would lie, made small, among what never runs.
learnt = (
    "-fprofile-use", "-fprofile-partial-training", "-fno-reorder-blocks-and-partition",
    "--param=hot-bb-count-ws-permille=999",
)
if training:
    build("-fprofile-generate", "-fprofile-update=single")
    build(*(learnt if trained() else ()))
else:
    build()
"""
"""Compiles once, or twice where it can be trained: what the first build sees tells the second which branches are taken."""
_TRAINING: Final = ROOT / "loyalty" / "training.py"
_PROFILED: Final = "Free Software Foundation"
"""Says a compiler whose options for training are the ones above."""


def lacking() -> str | None:
    """What this machine lacks for a build, None if nothing."""
    missing = [module for module in ("mypyc", "setuptools") if find_spec(module) is None]
    if missing:
        return f"the Python package {missing[0]} (mypy brings mypyc)"
    if shutil.which(_compiler()) is None:
        return f"a C compiler ({_compiler()})"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "the headers of Python (on Debian and Ubuntu: python3-dev)"
    return None


def _compiler() -> str:
    return (os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc")).split()[0]


def _training() -> str:
    """Where `loyalty.training` is, empty if it, or a compiler that learns from it, is not there."""
    asked = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=False)
    there = _PROFILED in asked.stdout and _TRAINING.exists()
    return str(ROOT) if there else ""


def recipe() -> str:
    """Names how builds are made: one of the same sources that was made otherwise is made again, and used until then."""
    hashed = blake2b(Path(__file__).read_bytes(), digest_size=10)
    if _TRAINING.exists():
        hashed.update(_TRAINING.read_bytes())
    return hashed.hexdigest()


def main() -> int:
    """Compile what is not compiled yet; older builds go."""
    directory = build_directory()
    finished = directory / FINISHED
    missing = lacking()
    if finished.exists() and (missing is not None or finished.read_text("utf-8") == recipe()):
        return 0
    if missing is not None:
        print(f"not compiled: this machine lacks {missing}; everything runs as Python, at half the speed")
        return LACKING
    print("Compiling the hot modules (only when they change; a minute or so) ...", flush=True)
    BUILDS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILDS) as work:
        done = _compile(Path(work))
        if done.returncode:
            print(f"{done.stdout}{done.stderr}", file=sys.stderr)
            print("not compiled: the compiler's words stand above", file=sys.stderr)
            return 1
        for old in BUILDS.iterdir():
            if old.name != Path(work).name:
                shutil.rmtree(old, ignore_errors=True)
        (Path(work) / "build" / FINISHED).write_text(recipe(), "utf-8")
        (Path(work) / "build").rename(directory)
    return 0


def _compile(work: Path) -> subprocess.CompletedProcess[str]:
    """Compile copies of the sources: mypyc leaves its traces where it works."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, work / package, ignore=shutil.ignore_patterns("__pycache__"))
        (work / package / "__init__.py").write_text("", "utf-8")
    if (ROOT / "pyproject.toml").exists():  # an installed package has none, and mypy's defaults do as well
        shutil.copy(ROOT / "pyproject.toml", work / "pyproject.toml")
    (work / "build").mkdir()
    return subprocess.run(
        [sys.executable, "-c", _COMPILE, GROUP, "build", "c", _training(), *hot_modules(ROOT)],
        cwd=work,
        env={**os.environ, "LOYALTY_COMPILED": "0", "MYPYPATH": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
