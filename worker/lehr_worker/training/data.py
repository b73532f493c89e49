"""What a program reads its batches from: arrays on the device, or a stream of batches."""

import math
from typing import Any, Final

import keras
import numpy as np

from lehr_worker.task import Data, Stream
from lehr_worker.training.errors import raises_out_of_memory

UNKNOWN: Final = (None, -1, -2)  # cardinalities of a dataset that are no number of batches


class DeviceData:
    """A task's arrays on the device. Raises ValueError where a part of them is empty."""

    is_stream: Final = False

    def __init__(self, data: Data) -> None:
        train = (data.x_train, data.y_train)
        weights = sample_weights(data)
        with raises_out_of_memory():
            self.train = _tensors(train if weights is None else (*train, weights))
            self.validation = _tensors((data.x_validation, data.y_validation))
        self.samples = _samples("train", self.train)
        self.validation_samples = _samples("validation", self.validation)
        self.nbytes = sum(_nbytes(t) for t in _flat((self.train, self.validation)))

    def example(self) -> Any:
        """A batch of one sample."""
        return keras.tree.map_structure(lambda tensor: tensor[:1], self.train)

    def batches(self, batch_size: int) -> int:
        """Batches in an epoch; the samples that are too few for one sit it out. ValueError if 0."""
        if self.samples < batch_size:
            raise ValueError(
                f"parameters.batch_size: must be at most {self.samples}, the number of training "
                f"samples, got {batch_size}"
            )
        return self.samples // batch_size

    def feed(self, seed: int, epoch: int, batches: int, batch_size: int) -> np.ndarray:
        """The epoch's indices of samples [batches, batch_size] (int32), shuffled."""
        shuffled = np.random.default_rng((seed, epoch)).permutation(self.samples)
        return shuffled[: batches * batch_size].reshape(batches, batch_size).astype(np.int32)


class StreamData:
    """A task's stream. Raises ValueError where its length cannot be known."""

    is_stream: Final = True
    samples: Final = None
    nbytes: Final = 0

    def __init__(self, data: Stream) -> None:
        self.validation = data.validation
        self._train = data.train
        self._batches = data.updates_per_epoch or _cardinality(data.train(0))
        self._example: Any = None

    def example(self) -> Any:
        """The first batch of some epoch."""
        if self._example is None:
            self._example = next(iter(self._train(0)))
        return self._example

    def batches(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return self._batches

    def feed(self, seed: int, epoch: int, batches: int, batch_size: int) -> Any:
        """The dataset of the epoch's batches."""
        draw = int(np.random.default_rng((seed, epoch)).integers(2**63))
        dataset = self._train(draw)
        # -1 is tf.data.AUTOTUNE: as many batches ahead as keep the training busy.
        return dataset.prefetch(-1) if hasattr(dataset, "prefetch") else dataset


def prepared(data: Data | Stream) -> DeviceData | StreamData:
    """The task's data as a program reads it. Raises ValueError, OutOfMemory."""
    return StreamData(data) if isinstance(data, Stream) else DeviceData(data)


def sample_weights(data: Data) -> np.ndarray | None:
    """Each training sample's weight, float32; None if all weigh the same."""
    weights = None if data.sample_weight is None else np.asarray(data.sample_weight, np.float32)
    if data.class_weight is None:
        return weights
    labels = np.asarray(data.y_train)
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    by_class = np.ones(labels.size, np.float32)
    for label, weight in data.class_weight.items():
        by_class[labels.reshape(-1) == label] = weight
    return by_class if weights is None else weights * by_class


def _cardinality(dataset: Any) -> int:
    count = getattr(dataset, "cardinality", lambda: None)()
    if count is None or int(count) in UNKNOWN:
        raise ValueError(
            "the stream does not know how many batches it has; "
            "say Stream(updates_per_epoch=...) in the task"
        )
    return int(count)


def _tensors(nest: Any) -> Any:
    return keras.tree.map_structure(_tensor, nest)


def _tensor(array: Any) -> Any:
    """The array on the device; NumPy's float64, say, as Keras's `fit` takes it: as float32."""
    is_float = getattr(getattr(array, "dtype", None), "kind", None) == "f"
    return keras.ops.convert_to_tensor(array, keras.config.floatx() if is_float else None)


def _flat(nest: Any) -> list[Any]:
    flat: list[Any] = keras.tree.flatten(nest)
    return flat


def _nbytes(tensor: Any) -> int:
    itemsize: int = np.dtype(keras.backend.standardize_dtype(tensor.dtype)).itemsize
    return itemsize * math.prod(int(length) for length in tensor.shape)


def _samples(part: str, nest: Any) -> int:
    tensors = _flat(nest)
    if not all(len(tensor.shape) for tensor in tensors):
        raise ValueError(
            f"the {part} data must be arrays, or nests of arrays, whose first axis is the sample; "
            "make arrays of lists of numbers: numpy.array(...)"
        )
    counts = {int(tensor.shape[0]) for tensor in tensors}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"the {part} arrays must hold equally many samples, got {sorted(counts)}")
    return counts.pop()
