"""How the end of a trainer's process is put into words."""

from __future__ import annotations

import re
import signal

from lehr.wire.workers import Failure
from lehr_worker import memory
from lehr_worker.failures import failure, is_task_code

_THREAD = re.compile(
    r"^(?P<which>Current thread|Thread) 0x.*\(most recent call first\):$", re.MULTILINE
)
_FRAME = re.compile(
    r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$', re.MULTILINE
)

_NATIVE = "native code failed, of TensorFlow or of a library that the task uses"
_REASONS = {
    signal.SIGSEGV: _NATIVE,
    signal.SIGABRT: _NATIVE,
    signal.SIGBUS: f"{_NATIVE}, or a disk that it maps files of is full",
    signal.SIGFPE: _NATIVE,
    signal.SIGILL: "native code is not made for this processor",
    signal.SIGKILL: "something on this machine has killed it",
}


def death(code: int, words: str, kills_before: int | None, held: int | None) -> Failure:
    """What to report of a process that ended by itself.

    ``code`` is its exit status, or the negative of a signal's number; ``words`` the end of what it
    printed; ``kills_before`` what ``memory.kernel_kills`` said when it began; ``held`` its bytes of
    memory when last looked at.
    """
    if code == -signal.SIGKILL:
        kills = memory.kernel_kills()
        said = "" if held is None else f"; it held {memory.readable(held)}"
        if kills is None or kills_before is None:
            text = f"the trainer was killed (SIGKILL), most likely by the kernel for memory{said}"
            return failure("out_of_memory", text, words)
        if kills > kills_before:
            return failure(
                "out_of_memory", f"the kernel killed the trainer for its memory{said}", words
            )
    return failure("error", f"the trainer died: {_manner(code)}{standing(words)}", words)


def standing(words: str, *, signalled: bool = True) -> str:
    """Where Python stood, if the words hold its stacks as faulthandler prints them.

    In the thread that got the signal, unless it was sent to have the stacks only; else in the main
    thread, which comes last.
    """
    threads = list(_THREAD.finditer(words))
    current = [thread for thread in threads if thread["which"].startswith("Current")]
    wanted = [*current[-1:], *threads[-1:]]
    for thread in wanted if signalled else reversed(wanted):
        following = [t.start() for t in threads if t.start() > thread.start()]
        frames = list(_FRAME.finditer(words, thread.end(), min(following, default=len(words))))
        if frames:
            frame = next((f for f in frames if is_task_code(f["file"])), frames[0])
            return f"; it was in {frame['function']}, {frame['file']} line {frame['line']}"
    return ""


def _manner(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code)
    except ValueError:
        return f"signal {-code}"
    reason = _REASONS.get(name)
    return f"{name.name} ({reason})" if reason else name.name
