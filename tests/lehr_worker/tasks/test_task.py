"""Tasks as their authors write them and servers see them; no TensorFlow is loaded here."""

import json
import subprocess
import sys
from typing import Annotated, Literal

import pytest

from lehr_worker import Data, Parameter, task
from lehr_worker.tasks.registry import load


def example(**options):
    @task(loss="mse", **options)
    def net(
        units: Annotated[int, Parameter(low=1, high=64, doc="width")],
        rate: Annotated[float, Parameter(low=0.0, below=1.0, live=True)] = 0.5,
        activation: Literal["relu", "gelu"] = "relu",
        bias: bool = True,
    ):
        """A net."""
        return (units, rate, activation, bias)

    return net


def test_schema_is_read_from_the_signature():
    assert example(batch_size=64).schema() == {
        "type": "object",
        "description": "A net.",
        "properties": {
            "batch_size": {
                "type": "integer",
                "description": "samples in an update",
                "minimum": 1,
                "default": 64,
            },
            "precision": {
                "type": "string",
                "description": "Keras dtype policy of the model's layers",
                "enum": ["float32", "mixed_float16", "mixed_bfloat16"],
                "default": "float32",
            },
            "units": {"type": "integer", "description": "width", "minimum": 1, "maximum": 64},
            "rate": {"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": 0.5},
            "activation": {"type": "string", "enum": ["relu", "gelu"], "default": "relu"},
            "bias": {"type": "boolean", "default": True},
        },
        "required": ["units"],
        "additionalProperties": False,
    }


def test_defaults_complete_what_is_given_and_numbers_become_floats():
    given = {"units": 3, "rate": 0}
    complete = example().complete(given)
    assert complete == {
        "batch_size": 32,
        "precision": "float32",
        "units": 3,
        "rate": 0.0,
        "activation": "relu",
        "bias": True,
    }
    assert isinstance(complete["rate"], float)
    assert given == {"units": 3, "rate": 0}
    assert example().build_model(complete) == (3, 0.0, "relu", True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "units: required by task net"),
        ({"units": 65}, "units: must be at most 64"),
        ({"units": 2.5}, "units: must be a whole number"),
        ({"units": 2, "rate": 1.0}, "rate: must be less than 1"),
        ({"units": 2, "activation": "tanh"}, "activation: must be one of relu, gelu"),
        ({"units": 2, "bias": 1}, "bias: must be true or false"),
        ({"units": 2, "batch_size": 0}, "batch_size: must be at least 1"),
        (
            {"units": 2, "width": 3},
            "width: unknown parameter of net; it takes batch_size, precision",
        ),
    ],
)
def test_wrong_parameters_name_the_field(given, message):
    with pytest.raises(ValueError, match=message):
        example().complete(given)


def test_data_gets_the_parameters_it_names():
    net = example()

    @net.data
    def data(units, bias):
        return Data(units, bias, None, None)

    complete = net.complete({"units": 3})
    assert net.load_data(complete) == Data(3, True, None, None)
    assert net.data_parameters(complete) == {"units": 3, "bias": True}


def test_a_task_without_data_says_how_to_add_it():
    with pytest.raises(ValueError, match=r"task net has no data; add a function under @net\.data"):
        example().load_data({})


def test_loss_and_metrics_are_names_or_functions_of_parameters():
    net = example(metrics=["accuracy", lambda rate: rate * 2])
    assert net.build_loss({}) == "mse"
    assert net.build_metrics({"rate": 0.25}) == ["accuracy", 0.5]


def test_signatures_that_are_no_parameters_are_refused():
    def untyped(units=3): ...
    def reserved(schedule: float = 1.0): ...
    def sized(batch_size: int = 3): ...
    def whole(units: Annotated[int, Parameter(live=True)] = 3): ...

    for model, message in [
        (untyped, "units: annotate it as int, float, bool or Literal"),
        (reserved, "parameter schedule is lehr's own"),
        (sized, "parameter batch_size is lehr's own"),
        (whole, "units: only a float can be live"),
    ]:
        with pytest.raises(TypeError, match=message):
            task(loss="mse")(model)
    with pytest.raises(TypeError, match="asks for width, not a parameter"):
        example(metrics=[lambda width: width])


def test_built_in_schemas_are_plain_json_and_load_no_tensorflow():
    code = (
        "import json, sys; from lehr_worker.tasks.registry import load;"
        "print(json.dumps({n: t.schema() for n, t in load().items()}));"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == {n: t.schema() for n, t in load().items()}
    assert set(load()) == {"digits_mlp", "mnist_softmax", "fashion_mnist_cnn", "cifar10_resnet"}
