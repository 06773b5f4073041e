"""Put the module `tfx_bsl.arrow.sql_util` back, which TFDV 1.16.1 imports and tfx-bsl 1.21 no longer has.

It lives in the environment, not in our start-up code, because every Beam worker needs it before anything of
TFDV is unpickled. SQL slices do not work in TFX 1.21 at all, hence the class that refuses.
"""

import importlib.util
import pathlib

MODULE = '''"""Stand-in written by Slipway's set-up: see infra/sql_util_shim.py."""


class RecordBatchSQLSliceQuery:
    """Refuses: SQL slices left tfx-bsl with 1.21."""

    def __init__(self, *args, **kwargs):
        raise NotImplementedError("SQL slice queries are not supported by tfx-bsl 1.21")
'''


def main() -> None:
    """Write the module into the installed tfx_bsl package."""
    spec = importlib.util.find_spec("tfx_bsl")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("setup: tfx_bsl is not installed, so the lock was not applied; run make again")
    target = pathlib.Path(spec.submodule_search_locations[0]) / "arrow" / "sql_util.py"
    if not target.exists():
        target.write_text(MODULE)


if __name__ == "__main__":
    main()
