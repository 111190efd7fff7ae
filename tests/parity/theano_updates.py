"""One update of openai/imitation; `record_theano.py` runs it.

Of Python 2.7: theano_updates.py PATH GIVEN TAKEN, where PATH is a clone, GIVEN an
npz file with the batch, the parameters and the settings, and TAKEN what is written.
"""

# ruff: noqa: UP031 (Python 2 has no other way)
import json
import sys
import types

import numpy

PATH, GIVEN, TAKEN = sys.argv[1:]
sys.path.insert(0, PATH)
given = dict(numpy.load(GIVEN))
settings = json.loads(str(given.pop("settings")))


def stub(name, **contents):
    """A module that is imported, and of which nothing here uses more than this."""
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module
    return module


def of(network):
    """The layers (W, b) of a network, W as (in, out), and log sigma."""
    begin = "before/" + network + "/"
    layers = [
        (given[begin + "mlp/%d/W" % i].T, given[begin + "mlp/%d/b" % i])
        for i in range(3)
    ]
    return layers, given.get(begin + "log_std")


def give(network, layers, log_std=None):
    """Note a network's arrays after the update; layers as `of` returns them."""
    for i, (weight, bias) in enumerate(layers):
        taken["after/%s/mlp/%d/W" % (network, i)] = weight.T
        taken["after/%s/mlp/%d/b" % (network, i)] = bias.ravel()
    if log_std is not None:
        taken["after/%s/log_std" % network] = log_std.ravel()


def split(x):
    return numpy.split(x, numpy.cumsum(given["lengths"])[:-1])


def acted_on():
    """The observations without each path's last."""
    last = numpy.cumsum(given["lengths"] + 1) - 1
    return numpy.delete(given["obs"], last, axis=0)


taken = {}


def imitation():
    stub("tables", NaturalNameWarning=Warning)
    stub("environments")
    import policyopt
    from policyopt import optim, rl

    # The draw of a tenth of the rows.
    optim.np.random.choice = lambda n, size: numpy.arange(0, n, 10)
    spec = json.dumps([{"type": "fc", "n": 8}, {"type": "nonlin", "func": "tanh"}] * 2)
    size = given["obs"].shape[1]
    obs_space = policyopt.ContinuousSpace(size)
    softmax = given["action"].ndim == 1
    if softmax:
        action_space = policyopt.FiniteSpace(settings["n_actions"])
        policy = rl.GibbsPolicy(
            rl.GibbsPolicyConfig(spec, True), obs_space, action_space, "policy"
        )
    else:
        action_space = policyopt.ContinuousSpace(given["action"].shape[1])
        config = rl.GaussianPolicyConfig(spec, 0.0, 0.0, True)
        policy = rl.GaussianPolicy(config, obs_space, action_space, "policy")
    vf = rl.ValueFunc(spec, obs_space, True, True, "vf", 0.01, 0.1, time_scale=0.0)
    variables = {}
    for name, model in (("policy", policy), ("vf", vf)):
        layers, log_std = of(name)
        found = model.get_trainable_variables()
        heads = [v for v in found if v.name.endswith("logstdevs_1_Da")]
        found = [v for v in found if v not in heads]
        variables[name] = found, heads
        for v, array in zip(found, [x for layer in layers for x in layer]):
            value = numpy.zeros_like(v.get_value())
            value[: array.shape[0] if array.ndim > 1 else None] = array
            v.set_value(value)
        for v in heads:
            v.set_value(log_std[None])

    def put(standardizer, name):
        mean, var = given[name + "_mean"], given[name + "_var"]
        standardizer._mean_1_D.set_value(mean.reshape(1, -1))
        standardizer._meansq_1_D.set_value((var + mean**2).reshape(1, -1))
        standardizer._count.set_value(numpy.array(float(given[name + "count"])))

    put(policy.obsnorm, "given/normalizer/")
    put(vf.obsnorm, "given/normalizer/")
    put(vf.vnorm, "given/unit/")

    class Batch:
        """Of one batch, whatever is simulated."""

        def sim_mp(self, policy_fn, obsfeat_fn, cfg):
            pieces = zip(
                split(acted_on()), split(given["action"]), split(given["reward"])
            )
            return policyopt.TrajBatch.FromTrajs(
                [
                    policyopt.Trajectory(
                        obs, obs, policy_fn(obs)[1], a[:, None] if softmax else a, r
                    )
                    for obs, a, r in pieces
                ]
            )

    step = rl.TRPO(settings["max_kl"], settings["damping"])
    common = Batch(), 0.995, 0.97, policy, None, step
    if "gail" in settings:
        optimizer = imitator(common, spec, obs_space, action_space, vf, put)
        variables["discriminator"] = optimizer.reward_func.get_trainable_variables(), []
    else:
        optimizer = rl.SamplingPolicyOptimizer(*(common + (vf, lambda obs: obs)))
        optimizer.curr_iter = 1  # in the first there is a batch for the normalisers
    fields = {name: value for name, value, _ in optimizer.step()}
    for name, (found, heads) in variables.items():
        arrays = [v.get_value() for v in found]
        layers = [list(x) for x in zip(arrays[::2], arrays[1::2])]
        if name != "discriminator":
            layers[0][0] = layers[0][0][:size]  # the time's weights stay 0
        give(name, layers, *[v.get_value() for v in heads])
    backtracks = fields["bt"]
    taken["n_tries"] = min(backtracks + 1, 10)
    taken["fraction"] = 0.5**backtracks


def imitator(common, spec, obs_space, action_space, vf, put):
    """The optimiser of GAIL, which notes what it pays and the advantages of that."""
    from policyopt import imitation as adversarial
    from policyopt import optim, rl

    given_to = {"max_kl": None, "enable_inputnorm": True}
    given_to.update(include_time=False, time_scale=0.0, **settings["gail"])
    spaces = obs_space, action_space, spec
    judge = adversarial.TransitionClassifier(*spaces, varscope_name="judge", **given_to)
    for v, array in zip(
        judge.get_trainable_variables(),
        [x for layer in of("discriminator")[0] for x in layer],
    ):
        v.set_value(array.reshape(v.get_value().shape))
    put(judge.inputnorm, "given/discriminator/")
    same, curvatures, drawn = (lambda obs: obs), optim.np.random.choice, given["drawn"]
    n_expert = len(given["expert_obs"])
    # The draw of as many expert pairs as there are the agent's; else that of the rows.
    optim.np.random.choice = lambda n, size: (
        drawn if n == n_expert else curvatures(n, size)
    )
    advantages = rl.compute_advantage

    def noted(reward, *args):
        found = advantages(reward, *args)
        taken["paid"], taken["advantage"] = reward.stacked, found[0].stacked
        return found

    rl.compute_advantage = noted
    expert = given["expert_obs"], given["expert_action"], numpy.zeros(n_expert)
    return adversarial.ImitationOptimizer(
        *(common + (judge, vf, same, same, 0.0) + expert)
    )


imitation()
numpy.savez(TAKEN, **taken)
