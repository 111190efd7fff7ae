"""Names of ChainerRL that are not here: each says why, and what to use."""

PFRL = "PFRL (pip install pfrl), ChainerRL's successor on PyTorch, has it"
OTHER = f"this project has trust-region methods and PPO only; {PFRL}"
MEMORY = (
    "it was for links that keep their state inside. Build a policy of "
    "links.StatelessRecurrentSequential, and give TRPO or PPO recurrent=True"
)
IMAGES = (
    "images are not what this project trains on; use gymnasium's Atari wrappers, and your "
    "own chainer.Sequential of convolutions as the policy"
)
ASYNC = (
    "training with threads that write into one model is not here. Use "
    "train_agent_batch_with_evaluation, or chainertrpo.experiments.train_agent_parallel"
)


def _each(names, why):
    return dict.fromkeys(names.split(), why)


GONE = {
    "": {
        **_each(
            "action_value explorer explorers q_function q_functions replay_buffer "
            "replay_buffers",
            OTHER,
        ),
        "recurrent": MEMORY,
    },
    "agent": {
        "AsyncAgent": ASYNC,
        "load_npz_no_strict": "it read pickles; agent.load runs nothing of a file",
    },
    "agents": {
        **_each(
            "ACER AL A3C CategoricalDQN CategoricalDoubleDQN DDPG DPP DQN DoubleDQN "
            "DoubleIQN DoublePAL IQN NSQ PAL PCL PGT ResidualDQN SARSA SoftActorCritic "
            "TD3 acer ddpg dqn nsq pcl",
            OTHER,
        ),
        **_each(
            "A2C REINFORCE a2c reinforce",
            "use PPO, or chainertrpo.PolicyGradient: one gradient step on each batch",
        ),
    },
    "agents.a3c": {"A3C": OTHER},
    "distribution": {
        **_each(
            "ContinuousDeterministicDistribution SquashedGaussianDistribution", OTHER
        ),
        "MellowmaxDistribution": "use SoftmaxDistribution(logits, beta)",
        "CategoricalDistribution": "use SoftmaxDistribution, or subclass Distribution",
        "sample_discrete_actions": "use SoftmaxDistribution(logits).sample()",
        "clip_actions": "environments clip them: see chainertrpo.experiments.Env",
    },
    "envs": {
        "ABC": "it was a toy for ChainerRL's own tests",
        "abc": "it was a toy for ChainerRL's own tests",
        "ALE": IMAGES,
        "ale": IMAGES,
    },
    "experiments": {
        "train_agent_async": ASYNC,
        "collect_demonstrations": (
            "it wrote pickles, which run code when they are read. Use "
            "chainertrpo.experiments.recording, or examples/record_demonstrations.py"
        ),
    },
    "functions": _each(
        "arctanh invert_gradients lower_triangular_matrix maximum_entropy_mellowmax "
        "mellowmax mul_add muladd scale_grad sum_arrays weighted_sum_arrays SumArrays "
        "WeightedSumArrays",
        "only methods that are not here used it; chainer.functions has its parts",
    ),
    "links": {
        **_each(
            "FactorizedNoisyLinear MLPBN to_factorized_noisy",
            "only value-based methods used it; write a chainer.Sequential instead",
        ),
        **_each("NIPSDQNHead NatureDQNHead", IMAGES),
    },
    "misc": {
        "download_model": (
            "the models were on a server that is not kept up, in files that can run code. "
            "Train one, or read a folder that you have with agent.load"
        ),
        **_each("async_ copy_param prioritized collections", OTHER),
    },
    "optimizers": {
        **_each(
            "RMSpropAsync SharedRMSpropEpsInsideSqrt RMSpropEpsInsideSqrt rmsprop_async",
            "use chainer.optimizers.RMSprop or Adam",
        ),
    },
    "policies": {
        **_each(
            "ContinuousDeterministicPolicy FCBNDeterministicPolicy FCDeterministicPolicy "
            "FCLSTMDeterministicPolicy",
            OTHER,
        ),
        "MellowmaxPolicy": "use SoftmaxPolicy(model, beta)",
    },
    "v_functions": {},
    "wrappers": {
        **_each("VectorFrameStack atari_wrappers", IMAGES),
        "RandomizeAction": "it was for evaluating value-based methods",
    },
}
# ChainerRL has these names in two places.
GONE["policy"] = GONE["policies"]


class NotHereError(ImportError):
    """A name of ChainerRL that this project has not; the message says what to use."""


def refusals(module):
    """A module's ``__getattr__``: a sentence for what is known, else an AttributeError.

    Parameters
    ----------
    module : str
        Its ``__name__``.

    Returns
    -------
    callable
        name -> never.  An ImportError passes ``from … import`` unchanged, where an
        AttributeError would become "cannot import name".
    """
    inside = module.partition("chainertrpo.chainerrl")[2].lstrip(".")
    here, gone = f"chainerrl.{inside}".rstrip("."), GONE.get(inside, {})

    def __getattr__(name):
        if name in gone:
            raise NotHereError(f"{here}.{name} is not here: {gone[name]}.")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__
