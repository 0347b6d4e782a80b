"""`dmdoc`, also as `python -m dmdoc`: Ctrl-C counts from the first moment on, before anything large is imported."""

import _thread
import os
import signal
import sys
import threading

AGAIN_SECONDS = 0.01
"""After an interrupt that Python could not pass on it is sent again."""


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = _unraisable
    # Threads that wait for each other soon give the processor away. Where other programs wanted it, an answer took four
    # times as long when they spun; where none did, one and a half times as long when they did not spin at all.
    # OpenMP (GNU's) reads this once, when torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        from dmdoc.serve.handover import hand_over

        code = hand_over(sys.argv[1:], os.environ)
        if code is not None:
            sys.exit(code)
        from dmdoc.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    finally:
        # What is left is Python's own end; a traceback of that helps nobody.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """An interrupt that comes while a destructor runs would be told and forgotten; it comes again instead."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        timer = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(found)


if __name__ == "__main__":
    main()
