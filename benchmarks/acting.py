"""How long it takes to act on one observation.

    python benchmarks/acting.py

Microseconds a call with 64-64 networks, at the sizes of Humanoid-v4 and Hopper-v4,
normalisation included.  ChainerRL, PFRL and sb3-contrib compute the log-probability or the
value while they act; ours computes them for a whole batch later, and that share is listed.
"""

import argparse

import peers
import report

SIZES = {"376 → 17": (376, 17), "11 → 3": (11, 3)}


def main():
    """Measure, and write results/acting.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args = report.arguments(parser, repeats=15)
    workers = {
        "ours": "acting_ours",
        "sb3": "acting_sb3",
        "pfrl": "acting_pfrl",
        "chainerrl": "acting_chainerrl",
    }
    results = {}
    for label, (obs_size, action_size) in SIZES.items():
        settings = {"obs_size": obs_size, "action_size": action_size}
        sessions = [peers.Session(*pair, settings) for pair in workers.items()]

        def ask(sessions=sessions):
            return {k: v for s in sessions for k, v in s.ask().items()}

        found = report.rounds(sessions, ask, args.repeats, args.check)
        results[label] = {"median": report.median(found), "all": found}
    report.save("acting", list(workers), {"microseconds": results}, args.repeats)
    medians = [results[label]["median"] for label in SIZES]
    rows = [[name, *(f"{x[name]:.1f}" for x in medians)] for name in medians[0]]
    header = ["µs an observation", *SIZES]
    report.save_table("acting", report.table(header, rows))


if __name__ == "__main__":
    main()
