"""The table of optimizers against the Keras that is installed."""

import inspect

import pytest

from lehr.schedules import REQUIRED
from lehr.wire.optimizers import KERAS_CLASSES, OPTIMIZERS

# What Keras has that a study cannot set: the engine averages weights itself (ema), leaves
# the loss scale to Keras, and layers have no name in a study.
LEFT_OUT = {
    "name",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "exclude_layers",
}
NO_ALGORITHMS = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
OTHER_DEFAULTS = {("momentum", "momentum"): 0.9}  # Keras's SGD with momentum has a name of its own

tensorflow = pytest.mark.tensorflow


def keras_arguments(name):
    import keras

    signature = inspect.signature(getattr(keras.optimizers, KERAS_CLASSES[name]).__init__)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(signature.parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.kind in named}


@tensorflow
def test_every_optimizer_of_keras_is_in_the_table():
    import keras

    classes = {n for n, c in vars(keras.optimizers).items() if inspect.isclass(c)}
    assert set(KERAS_CLASSES.values()) == classes - NO_ALGORITHMS
    assert KERAS_CLASSES.keys() == OPTIMIZERS.keys()


@tensorflow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_arguments_and_defaults_are_those_of_keras(name):
    known = keras_arguments(name)
    assert OPTIMIZERS[name].keys() == known.keys() - LEFT_OUT
    for argument, described in OPTIMIZERS[name].items():
        expected = OTHER_DEFAULTS.get((name, argument), known[argument])
        if argument != "learning_rate":
            assert described.default == expected, argument


@tensorflow
def test_every_argument_left_out_still_exists():
    assert set().union(*map(keras_arguments, OPTIMIZERS)) >= LEFT_OUT


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_table_admits_its_own_defaults_and_asks_for_a_rate(name):
    assert OPTIMIZERS[name]["learning_rate"].default is REQUIRED
    for argument, described in OPTIMIZERS[name].items():
        assert described.doc
        if described.default not in (REQUIRED, None):
            described.check(argument, described.default)


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), float("inf"), "0.1", True, None])
def test_no_optimizer_takes_a_rate_that_is_not_above_zero(rate):
    for arguments in OPTIMIZERS.values():
        with pytest.raises(ValueError, match=r"^learning_rate: must be"):
            arguments["learning_rate"].check("learning_rate", rate)
