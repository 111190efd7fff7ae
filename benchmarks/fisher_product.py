"""How long a product of the Fisher matrix with a vector takes.

    python benchmarks/fisher_product.py

The policy is a tanh MLP with 376 inputs and 17 outputs, as for Humanoid-v4.  Compared, at
equal numbers of threads: our Gauss–Newton product, our double backprop through Chainer,
PyTorch's double backprop (as in sb3-contrib), and the matrix products alone, that is,
what NumPy's BLAS needs for those of a Gauss–Newton product.  All products must agree.
"""

import argparse
import math

import peers
import report

SIZES = [[376, 64, 64, 17], [376, 400, 400, 17]]
BATCHES = [5000, 50000]
THREADS = [1, 2]
TARGETS = {  # the largest ratio to be seen, by the other method
    "PyTorch double backprop": {64: 0.7, 400: 0.85},
    "Chainer double backprop": {64: 0.4, 400: 0.4},
    "matrix products alone": {64: 1.6, 400: 1.6},
}


def measure(sizes, batch, threads, args):
    """Return the rounds: milliseconds a product, by method."""
    settings = {"sizes": sizes, "batch": batch}
    ours = peers.Session("ours", "fisher_ours", settings, threads)
    torch = peers.Session("sb3", "fisher_torch", settings, threads)
    who = {
        "Gauss-Newton": ours,
        "PyTorch double backprop": torch,
        "Chainer double backprop": ours,
        "matrix products alone": ours,
    }

    def ask():
        found = {
            method: session.ask(method=method, seconds=0.3)
            for method, session in who.items()
        }
        check = [x["check"] for x in found.values() if "check" in x]
        assert all(math.isclose(x, check[0], rel_tol=1e-4) for x in check), check
        return {method: x["ms"] for method, x in found.items()}

    return report.rounds([ours, torch], ask, args.repeats, args.check)


def main():
    """Measure, and write results/fisher_product.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args = report.arguments(parser, repeats=15)
    results, rows = {}, []
    for sizes in SIZES:
        for batch in BATCHES:
            for threads in THREADS:
                name = f"{'-'.join(map(str, sizes))}, batch {batch:,}, "
                name += f"{threads} thread{'s' * (threads > 1)}"
                found = measure(sizes, batch, threads, args)
                results[name] = {"median": report.median(found), "all": found}
                rows.append(row(name, found, sizes[1]))
                print(rows[-1], flush=True)
    report.save("fisher_product", ["ours", "sb3"], {"ms": results}, args.repeats)
    header = ["ms a product (ours ÷ it; goal; matrix products alone ÷ it)"]
    header += ["ours", *TARGETS]
    report.save_table("fisher_product", report.table(header, rows))


def row(name, found, width):
    """A line of the table."""
    medians = report.median(found)
    cells = [name, f"{medians['Gauss-Newton']:.2f}"]
    for other, goal in TARGETS.items():
        ratio = report.ratio(found, "Gauss-Newton", other)
        floor = report.ratio(found, "matrix products alone", other)
        text = f"{medians[other]:.2f} ({ratio:.2f}; ≤ {goal[width]:g}"
        cells.append(text + ("" if floor == 1 else f"; {floor:.2f}") + ")")
    return cells


if __name__ == "__main__":
    main()
