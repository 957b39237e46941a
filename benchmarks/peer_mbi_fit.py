"""Private-PGM's estimate from noisy tables; runs in an environment of its own (``benchmarks.peer_mbi``).

    python peer_mbi_fit.py IN.npz OUT.npz

IN has ``sizes`` (areas, weeks, weekdays, bands) and per noisy table ``values-i``, ``axes-i`` (which of the four it has) and
``deviation-i``. OUT gets ``day`` (areas, weeks, weekdays), ``band`` (areas, weeks, bands), ``processor`` (seconds of
processor time) and ``gigabytes``.
"""

from __future__ import annotations

import resource
import sys
import time

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_enable_compilation_cache", False)

import mbi  # noqa: E402
import numpy as np  # noqa: E402

NAMES = ("area", "week", "weekday", "band")
ITERATIONS = 2000


def main() -> None:
    """Command line."""
    given = np.load(sys.argv[1])
    measured = [
        mbi.LinearMeasurement(
            given[f"values-{i}"].ravel(),
            tuple(NAMES[axis] for axis in given[f"axes-{i}"]),
            float(given[f"deviation-{i}"]),
        )
        for i in range(sum(name.startswith("values-") for name in given.files))
    ]
    domain = mbi.Domain(list(NAMES), [int(n) for n in given["sizes"]])
    began = time.process_time()
    model = mbi.estimation.MirrorDescent().estimate(domain, measured, iters=ITERATIONS)
    found = {
        name: np.asarray(model.project(("area", "week", name)).datavector()).reshape(
            [domain[n] for n in ("area", "week", name)]
        )
        for name in ("weekday", "band")
    }
    np.savez(
        sys.argv[2],
        day=found["weekday"],
        band=found["band"],
        processor=time.process_time() - began,
        gigabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    )


if __name__ == "__main__":
    main()
