"""Run CPython's own tests of executors against ours: one line for each, its name and what became of it.

    python executor_contract.py DIRECTORY [NAME ...]

DIRECTORY is for files of its own; a test whose NAME is given is left out.

The tests are those of the Python that runs this.  They are made for two executors of the standard library, and look into these; what
they look for is given to them here, and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pkgutil
import sys
import unittest
from concurrent import futures
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

# Not in every distribution of Python.
from test.support import script_helper  # type: ignore[import-not-found,unused-ignore]

import actors
from actors import ActorError, NotSerializableError, RemoteError
from actors.executor.call import Call

PACKAGE = "test.test_concurrent_futures"
CASES = (
    "InitializerMixin",
    "FailingInitializerMixin",
    "ProcessPoolShutdownTest",
    "WaitTests",
    "AsCompletedTests",
    "ProcessPoolExecutorTest",
    "ExecutorDeadlockTest",
)


class _Process:
    """Stands for the process of a worker."""

    def __init__(self, executor: AdaptedExecutor) -> None:
        self._foreman = executor._foreman

    def join(self) -> None:
        self._foreman.join()


class AdaptedExecutor(actors.Executor):
    """Has the attributes that the tests look at."""

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        **options: Any,  # noqa: ANN401 - as they come
    ) -> None:
        super().__init__(max_workers, **options)
        self._call_queue = SimpleNamespace(join_thread=lambda: None)
        self._mp_context = mp_context

    @property
    def _broken(self) -> bool:
        return self._foreman.broken is not None

    @property
    def _max_workers(self) -> int:
        return self._foreman._settings.max_workers

    @property
    def _processes(self) -> dict[int, _Process]:
        return {n: _Process(self) for n in range(len(self._foreman._members))}

    @property
    def _executor_manager_thread(self) -> Any:  # noqa: ANN401 - looked into
        return self._foreman._thread


class InPlaceOfProcessPool(AdaptedExecutor):
    """What the tests find as ``futures.ProcessPoolExecutor``; no test may take ours for it."""


class Future(Call[Any]):
    """The futures of ours, made as those of the standard library are."""

    def __init__(self) -> None:
        super().__init__("", b"", None, lambda _: None, lambda **_: None)


class AdaptedTests:
    """What the tests of each executor say of theirs."""

    executor_type = AdaptedExecutor

    def get_context(self) -> Any:  # noqa: ANN401 - of any kind
        return multiprocessing.get_context("spawn")

    def _assert_logged(self, _: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # ours has it in the error

    def _check_crash(self, error: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as it comes
        wanted = ActorError if error is SystemExit else error
        super()._check_crash(wanted, *args, **kwargs)  # type: ignore[misc]  # of the tests


def modules() -> list[ModuleType]:
    """Return what holds the tests: one module, or, since 3.12, a package of several."""
    first = importlib.import_module(PACKAGE)
    names = [each.name for each in pkgutil.iter_modules(getattr(first, "__path__", []))]
    return [first, *(importlib.import_module(f"{PACKAGE}.{name}") for name in names)]


def adapt(module: ModuleType) -> None:
    """Give the tests of *module* ours in the place of the standard library's."""
    ours = {
        "BrokenProcessPool": ActorError,
        "PicklingError": NotSerializableError,
        "Future": Future,
        "futures": SimpleNamespace(
            **{name: value for name, value in vars(futures).items() if name[0] != "_"}
            | {name: getattr(futures, name) for name in futures.__all__}
            | {
                "ProcessPoolExecutor": InPlaceOfProcessPool,
                "process": SimpleNamespace(_RemoteTraceback=RemoteError),
            },
        ),
    }
    for name, value in ours.items():
        if hasattr(module, name):
            setattr(module, name, value)


def tests() -> list[unittest.TestCase]:
    """Return the tests of processes and of futures."""
    found: dict[str, Any] = {}
    for module in modules():
        found |= vars(module)
        adapt(module)
    RemoteError.tb = property(lambda self: self.traceback)  # type: ignore[attr-defined]
    cases = [
        type(
            name,
            (AdaptedTests, found[name], found["ExecutorMixin"], found["BaseTestCase"]),
            {},
        )
        for name in CASES
    ]
    loader = unittest.defaultTestLoader
    suites = map(loader.loadTestsFromTestCase, [*cases, found["FutureTests"]])
    return [test for suite in suites for test in suite]  # type: ignore[misc]  # no suites in it


class Result(unittest.TestResult):
    """Says at once what became of a test."""

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - theirs
        super().stopTest(test)
        troubles = [*self.failures, *self.errors]
        what = "failed" if troubles else "skipped" if self.skipped else "passed"
        _, method = test.id().rsplit(".", 1)
        sys.stdout.write(f"\n{type(test).__name__} {method} {what}\n")
        sys.stdout.flush()
        sys.stderr.writelines(text for _, text in troubles)
        for kind in (self.failures, self.errors, self.skipped):
            kind.clear()


# Programs that the tests start import the executor by its name from the standard library, when they come to it.
IMPORT_OURS = """
import concurrent.futures
theirs = concurrent.futures.__getattr__
def __getattr__(name):
    if name != "AdaptedExecutor":
        return theirs(name)
    from tests.support.scripts.executor_contract import AdaptedExecutor
    return AdaptedExecutor
concurrent.futures.__getattr__ = __getattr__
"""


def main() -> None:
    """Run the tests, but for those whose names are given."""
    site = Path(sys.argv[1])
    (site / "sitecustomize.py").write_text(IMPORT_OURS)
    root = Path(__file__).resolve().parents[3]
    others = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), str(root), others])
    script_helper.interpreter_requires_environment = lambda: True
    for test in tests():
        if test.id().rpartition(".")[2] not in sys.argv[2:]:
            test.run(Result())


if __name__ == "__main__":
    main()
