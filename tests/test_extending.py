"""docs/extending.md: its diffs apply, touch what it says, and what they add works.

Each diff is applied to a copy of the package; a process of its own then runs the page's
program and a check of this file on that copy.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import chainertrpo
from chainertrpo.agents import OnPolicyAgent
from chainertrpo.data import Batch, Path
from chainertrpo.numerics import flatten
from chainertrpo.policies import parts
from chainertrpo.policies.network import ACTIVATIONS
from chainertrpo.updates import Curvature, Surrogate, TrustRegion
from chainertrpo.updates.model import LocalModel, local_model
from chainertrpo.updates.solver import CG, SOLVERS
from chainertrpo.updates.spelling import as_data, make

import chainer
import numpy as np
import pytest

PACKAGE = pathlib.Path(chainertrpo.__file__).parent
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "extending.md"
STEP = 1e-30

# What an addition touches: lines added to each file.
TOUCHES = {
    "An activation": {"policies/network.py": 6},
    "An action space": {"policies/families.py": 50, "policies/heads.py": 2},
    "A network": {"policies/residual.py": 75},
    "A solver": {"updates/solver.py": 23},
}


def block(title, language):
    """The one block of a language in a section of the page."""
    (section,) = re.findall(
        rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S
    )
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)
    return found


def git_apply(folder, diff, *options):
    # Not as a part of a repository that the folder may be in.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    return subprocess.run(
        ["git", "apply", *options, "-"],
        input=diff.encode(),
        cwd=str(folder),
        env=env,
        capture_output=True,
    )


def copy_package(folder):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(str(PACKAGE), str(folder / "chainertrpo"), ignore=ignored)


def touched(folder, diff):
    """{file: (lines added, lines removed)} of a diff."""
    lines = git_apply(folder, diff, "--numstat").stdout.decode().splitlines()
    rows = [line.split("\t") for line in lines]
    return {
        path.split("/", 1)[1]: (int(added), int(removed))
        for added, removed, path in rows
    }


def rollout(agent, n=60, seed=0):
    """A path of an agent: rewards are higher the nearer actions are to the first column."""
    rng = np.random.default_rng(seed)
    obs = rng.standard_normal((n + 1, 3)).astype("f")
    action = np.stack([agent.batch_act(x[None])[0] for x in obs[:-1]])
    reward = -((action - obs[:-1, :1]) ** 2).sum(axis=1).astype("f")
    return Path(obs, action, reward, terminal=False)


def trains(agent):
    """Two updates by gauss_newton are accepted, within the trust region."""
    assert agent.policy_step.curvature.kind == "gauss_newton"
    for seed in range(2):
        before = flatten(agent.policy)
        agent.update([rollout(agent, seed=seed)])
        assert agent.last_step.accepted, agent.last_step
        assert agent.last_step.kl < 0.011
        assert np.abs(flatten(agent.policy) - before).max() > 0


def agent_of(policy, **settings):
    vf = chainertrpo.ValueFunction(3, (8,))
    optimizer = chainer.optimizers.Adam().setup(vf)
    settings = {"curvature": "gauss_newton", "seed": 0, **settings}
    return chainertrpo.TRPO(policy, vf, optimizer, **settings)


def products_agree(policy):
    """JᵀFJ written out is the Hessian through Chainer's graph, and g is g; float64."""
    for param in policy.params():
        param.array = param.array.astype("d")
        param.array += 0.1 * np.random.default_rng(2).standard_normal(param.shape)
    assert len(parts(policy)) == 1
    rng = np.random.default_rng(3)
    obs = rng.standard_normal((9, 3))
    obs[:, 1] = 0  # a column that products leave out
    action = policy(obs).sample(rng).array
    log_prob = policy(obs).log_prob(action).array
    batch = Batch(obs, action, log_prob, rng.standard_normal(9), np.zeros(9))
    written_out, by_graph = (
        local_model(
            policy, batch, Surrogate(entropy_coef=0.1), Curvature(kind), TrustRegion()
        )
        for kind in ("gauss_newton", "hessian")
    )
    v = rng.standard_normal(len(by_graph.gradient))
    close(written_out.gradient, by_graph.gradient)
    close(written_out.product(v), by_graph.product(v))
    close(written_out.evaluate(v), by_graph.evaluate(v))


def close(found, truth):
    np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-13)


def activation(policy):
    phi, a = ACTIVATIONS["sin"], np.linspace(-3, 3, 41)
    h = phi.apply(np, a, None)
    close(h, np.sin(a))
    there = a + 1j * STEP
    close(phi.slope(np, a, h), phi.apply(np, there, None).imag / STEP)
    # φ'' against φ' the same way: neither subtracts.
    found = phi.slope(np, there, phi.apply(np, there, None)).imag / STEP
    close(phi.curve(np, a, h), found)
    trains(agent_of(policy))
    products_agree(policy)


def action_space(agent):
    family = agent.policy.family
    trains(agent)
    assert rollout(agent).action.dtype == np.int32
    out = np.linspace(-2, 1.5, 8)[:, None] * [1, 0.7]
    m, other = family.at(out), family.at(out + 0.3)
    # Sums over counts, of one column.
    one, x = type(family)(1), out[:, :1]
    counts = [np.full((8, 1), k) for k in range(400)]
    log_p = np.array([one.log_prob(x, k) for k in counts])
    log_q = np.array([one.log_prob(x + 0.3, k) for k in counts])
    scores = np.array([one.score(x, k)[0][:, 0] for k in counts])
    p = np.exp(log_p)
    close(p.sum(axis=0), 1)
    close(np.arange(400) @ p, np.exp(x[:, 0]))
    close(one.entropy(x), -(p * log_p).sum(axis=0))
    close(one.kl(x, x + 0.3), (p * (log_p - log_q)).sum(axis=0))
    fisher, _ = one.fisher(x, np.ones((8, 1)), {}, 1.0)
    close(fisher[:, 0], (p * scores**2).sum(axis=0))
    # Derivatives against central differences.
    action = family.sample(m, np.random.default_rng(0))
    for value, slope in (
        (lambda x: family.log_prob(x, action), family.score(m, action)[0]),
        (family.entropy, family.entropy_slope(m)[0]),
        (lambda x: family.kl(other, x), family.kl_slope(m, other)[0]),
    ):
        for j, unit in enumerate(np.eye(2) * 1e-5):
            found = (value(out + unit) - value(out - unit)) / 2e-5
            np.testing.assert_allclose(slope[:, j], found, rtol=1e-7, atol=1e-8)
    draws = family.sample(np.zeros((100_000, 1)), np.random.default_rng(0))
    assert abs(draws.mean() - 1) < 0.02  # its deviation is √2/√100 000
    products_agree(agent.policy)


def network(policy):
    trains(agent_of(policy))
    products_agree(policy)


def solver(step):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((12, 12))
    a, g = root @ root.T / 12, rng.standard_normal(12)
    model = LocalModel(0.0, g, a.dot, None)
    found = step.solver.direction(model, 0.1, 1, None)
    by_cg = CG(iterations=200, tol=1e-13).direction(model, 0.1, 1, None)
    np.testing.assert_allclose(found.x, by_cg.x, rtol=1e-9)
    np.testing.assert_allclose(found[1:3], by_cg[1:3], rtol=1e-9)
    for bad, reason in ((g * 0, "zero_gradient"), (g * np.nan, "nonfinite")):
        way = step.solver.direction(model._replace(gradient=bad), 0.1, 1, None)
        assert way.reason == reason
    way = step.solver.direction(model._replace(product=(-a).dot), 0.0, 1, None)
    assert way.reason == "nonpositive_curvature"
    assert SOLVERS["direct"] is type(step.solver)
    assert make("solver", as_data(step)["solver"]) == step.solver
    policy = chainertrpo.GaussianPolicy(3, 2, (6,))
    vf = chainertrpo.ValueFunction(3, (8,))
    optimizer = chainer.optimizers.Adam().setup(vf)
    trains(OnPolicyAgent(policy, vf, optimizer, policy_step=step))


CHECKS = {
    "An activation": (activation, "policy"),
    "An action space": (action_space, "agent"),
    "A network": (network, "policy"),
    "A solver": (solver, "step"),
}


def _run(title):
    """In a process that has the addition: the page's program, then the check of it."""
    check, name = CHECKS[title]
    found = {}
    exec(block(title, "python"), found)  # noqa: S102 (our own page)
    check(found[name])
    print(PACKAGE)


every_addition = pytest.mark.parametrize("title", TOUCHES)


@every_addition
def test_an_addition_touches_what_the_page_says(title, tmp_path):
    diff = block(title, "diff")
    found = touched(tmp_path, diff)
    assert {path: added for path, (added, _) in found.items()} == TOUCHES[title]
    named = {path for path in found if path in PAGE.read_text("utf-8")}
    assert named == set(found)
    # What was there stays: a few lines at most are written anew.
    assert sum(removed for _, removed in found.values()) <= 2


@every_addition
def test_an_addition_works(title, tmp_path):
    copy_package(tmp_path)
    done = git_apply(tmp_path, block(title, "diff"))
    assert not done.returncode, done.stderr.decode()
    done = subprocess.run(
        [sys.executable, __file__, title],
        cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert not done.returncode, done.stdout.decode()
    where = done.stdout.decode().splitlines()[-1]
    assert pathlib.Path(where).resolve() == (tmp_path / "chainertrpo").resolve()


def test_a_diff_whose_context_has_changed_does_not_apply(tmp_path):
    copy_package(tmp_path)
    path = tmp_path / "chainertrpo" / "policies" / "network.py"
    text = path.read_text("utf-8")
    moved = text.replace("from_h=True,\n    ),\n}", "from_h=False,\n    ),\n}")
    assert moved != text
    path.write_text(moved, "utf-8")
    assert git_apply(tmp_path, block("An activation", "diff")).returncode


def test_the_table_of_the_page_counts_files():
    text = PAGE.read_text("utf-8")
    counts = re.findall(r"^\| (an? [^|]*) \| (\d) \|", text, re.M)
    assert [int(n) for _, n in counts] == [len(files) for files in TOUCHES.values()]


@pytest.mark.parametrize("name", ["data_path.py", "data_path.md", "extending.md"])
def test_the_files_that_the_pages_name_exist(name):
    text = (PAGE.parent / name).read_text("utf-8").replace("\\n", "\n")
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    found = set(re.findall(r"\b(?:[a-z_]+/)+[a-z_]+\.(?:py|md)\b", text))
    assert len(found) >= 5
    for path in found:
        assert any((root / path).exists() for root in (PACKAGE, PAGE.parents[1])), path


if __name__ == "__main__":
    _run(sys.argv[1])
