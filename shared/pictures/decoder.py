"""A child process that decodes pictures: `python -m shared.pictures.decoder MEMORY_BYTES`.

It has no secrets, limited memory and a limit of CPU time for each picture. When the time is over, the kernel
kills the process, even inside Pillow's C code; the parent then starts another one.
"""

import resource
import signal
import sys

from shared.pictures.errors import ImageError, ImageTooLargeError
from shared.pictures.wire import Frame, read_frame, write_frame
from shared.pictures.work import work_of


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    limit(int(sys.argv[1]))
    while (asked := read_frame(sys.stdin.buffer)) is not None:
        # This timer counts CPU time of the process, so a busy machine does not make pictures fail.
        signal.setitimer(signal.ITIMER_PROF, asked.head["cpu_seconds"])
        answer, is_healthy = answer_to(asked)
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_frame(sys.stdout.buffer, answer)
        if not is_healthy:
            return


def limit(memory_bytes: int) -> None:
    """Limit memory, core dumps and written files. Ctrl-C is ignored, because the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer_to(asked: Frame) -> tuple[Frame, bool]:
    """The answer, and whether the process can be used again: after a MemoryError it cannot."""
    try:
        return work_of(asked.head).run(asked.body), True
    except ImageError as error:
        is_healthy = not isinstance(error.__cause__, MemoryError)
        return Frame({"error": error.code, "message": str(error)}), is_healthy
    except MemoryError:
        words = "decoding the picture takes more memory than allowed"
        return Frame({"error": ImageTooLargeError.code, "message": words}), False


if __name__ == "__main__":
    main()
