"""`python -m serving.serve`: the model server's command line."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from serving.flags import parse
from serving.garbage import collect_seldom


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped by a signal, then end the process; return an exit code if there was nothing to serve."""
    flags, notices = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # TensorFlow's C++ reads this on import; its messages about CPUs and GPUs are useless to an operator.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for notice in notices:
        logging.getLogger("slipway.server").warning("%s", notice)
    if flags.version:
        print(version_text())
        return 0
    collect_seldom()
    import uvloop  # imported late, like all below, so that --help and --version are fast

    from serving.messages.text_config import ServerConfigError
    from serving.process import end
    from serving.server import StartError, run

    # Neither the loop nor the interpreter is closed: both wait for threads, among them those of calls that go on.
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    code = 0
    try:
        loop.run_until_complete(run(flags))
    except (ServerConfigError, StartError) as error:
        print(error, file=sys.stderr, flush=True)
        code = 255
    except Exception:
        logging.getLogger("slipway.server").exception("internal server error")
        code = 1
    end(code)


def version_text() -> str:
    """Return what `--version` prints."""
    from importlib import metadata

    from serving.version import commit, version

    try:
        tensorflow = metadata.version("tensorflow")
    except metadata.PackageNotFoundError:
        tensorflow = "not installed"
    own = f"{version()}+{commit()}" if commit() else version()
    return f"TensorFlow ModelServer: slipway {own}\nTensorFlow Library: {tensorflow}"


if __name__ == "__main__":
    sys.exit(main())
