"""Rules about processes, threads, signals and native code: a Worker is one interpreter in wasm."""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView

SUBPROCESS = Rule(
    id="PROC-SUBPROCESS",
    level=Level.ERROR,
    title="Starts another program",
    why="a Worker cannot start programs; the call raises OSError",
    tip="do the work in Python, or leave this part at the origin",
)
MULTIPROCESSING = Rule(
    id="PROC-MULTIPROCESSING",
    level=Level.ERROR,
    title="Starts worker processes",
    why="a Worker is one process; multiprocessing cannot start another",
    tip="do the work in the request, or leave this part at the origin",
)
FORK = Rule(
    id="PROC-FORK",
    level=Level.ERROR,
    title="Forks the process",
    why="a Worker cannot fork",
    tip="remove the fork, or leave this part at the origin",
)
THREAD = Rule(
    id="PROC-THREAD",
    level=Level.WARNING,
    title="Starts a thread",
    why="in a Worker a thread is a task of the request that started it: it takes turns with others "
    "where they wait, and ends about 30 s after the response",
    tip="make work that must go on a job with a schedule; short helpers may stay",
)
SIGNAL = Rule(
    id="PROC-SIGNAL",
    level=Level.WARNING,
    title="Handles signals",
    why="no signal ever reaches a Worker, the handler never runs",
    tip="nothing is to be done when the handler only tidies up at the end",
)
EXIT = Rule(
    id="PROC-EXIT",
    level=Level.WARNING,
    title="Ends or kills a process",
    why="in a Worker this destroys the isolate with all requests in it, or does nothing",
    tip="raise an error instead",
)
GREENLET = Rule(
    id="PROC-GREENLET",
    level=Level.ERROR,
    title="Uses gevent or eventlet",
    why="green threads need native code that does not exist for WebAssembly",
    tip="remove the monkey patching: a Worker interleaves waiting requests by itself",
)
CTYPES = Rule(
    id="PROC-CTYPES",
    level=Level.ERROR,
    title="Loads a shared library",
    why="a Worker has no shared libraries to load",
    tip="use a package in pure Python, or leave this part at the origin",
)
RULES = (SUBPROCESS, MULTIPROCESSING, FORK, THREAD, SIGNAL, EXIT, GREENLET, CTYPES)

_CALLS: dict[str, Rule] = {
    **{
        f"subprocess.{name}": SUBPROCESS
        for name in (
            "run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput",
        )
    },
    **{
        f"os.{name}": SUBPROCESS
        for name in (
            "system", "popen", "posix_spawn", "posix_spawnp", "spawnl", "spawnle", "spawnlp",
            "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe", "execl", "execle", "execlp",
            "execlpe", "execv", "execve", "execvp", "execvpe", "startfile",
        )
    },
    "asyncio.create_subprocess_exec": SUBPROCESS,
    "asyncio.create_subprocess_shell": SUBPROCESS,
    "pty.spawn": SUBPROCESS,
    "multiprocessing.Process": MULTIPROCESSING,
    "multiprocessing.Pool": MULTIPROCESSING,
    "multiprocessing.pool.Pool": MULTIPROCESSING,
    "multiprocessing.Manager": MULTIPROCESSING,
    "multiprocessing.get_context": MULTIPROCESSING,
    "concurrent.futures.ProcessPoolExecutor": MULTIPROCESSING,
    "concurrent.futures.process.ProcessPoolExecutor": MULTIPROCESSING,
    "os.fork": FORK,
    "os.forkpty": FORK,
    "threading.Thread": THREAD,
    "threading.Timer": THREAD,
    "_thread.start_new_thread": THREAD,
    "concurrent.futures.ThreadPoolExecutor": THREAD,
    "concurrent.futures.thread.ThreadPoolExecutor": THREAD,
    "multiprocessing.pool.ThreadPool": THREAD,
    "multiprocessing.dummy.Pool": THREAD,
    "signal.signal": SIGNAL,
    "signal.alarm": SIGNAL,
    "signal.setitimer": SIGNAL,
    "signal.pause": SIGNAL,
    "os._exit": EXIT,
    "os.abort": EXIT,
    "os.kill": EXIT,
    "os.killpg": EXIT,
    "ctypes.CDLL": CTYPES,
    "ctypes.PyDLL": CTYPES,
    "ctypes.cdll.LoadLibrary": CTYPES,
    "ctypes.util.find_library": CTYPES,
    "cffi.FFI().dlopen": CTYPES,
}  # fmt: skip
_GREEN = frozenset({"gevent", "eventlet", "greenlet"})


def check_processes(view: CodeView) -> Iterator[Finding]:
    """Yield calls that need an operating system; those nobody is seen to reach are warnings."""
    for site, _call, name in view.calls:
        rule = _CALLS.get(name)
        if rule is not None:
            level = rule.level if site.certain else min(rule.level, Level.WARNING, key=_rank)
            yield rule.at(f"{name}()", site.path, site.line, level=level)
    for site, module in view.imports:
        if module.partition(".")[0] in _GREEN:
            yield GREENLET.at(f"import {module}", site.path, site.line)
    yield from _check_targets(view)


def _check_targets(view: CodeView) -> Iterator[Finding]:
    """Yield classes of the project that are threads or processes themselves."""
    bases = {"threading.Thread": THREAD, "multiprocessing.Process": MULTIPROCESSING}
    for name, node in view.graph.classes.items():
        file = next((f for f in view.graph.files if name.startswith(f"{f.module}.")), None)
        for base in node.bases if file else ():
            rule = bases.get(view.names.resolve(base, file.module)) if file else None
            if rule is not None and file is not None:
                yield rule.at(f"class {node.name}", file.path, node.lineno, level=Level.WARNING)


def _rank(level: Level) -> int:
    return (Level.NOTE, Level.WARNING, Level.ERROR).index(level)
