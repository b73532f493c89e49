"""The worker: trains the trials it claims. Importing it loads no TensorFlow.

Bring a model and data of your own with `task`; see `lehr_worker.task`.
"""

from lehr_worker.task import Data, Parameter, Stream, Task, task

__all__ = ["Data", "Parameter", "Stream", "Task", "task"]
