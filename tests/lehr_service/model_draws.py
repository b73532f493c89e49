"""What the model's test draws."""

from hypothesis import strategies as st

from .model_drivers import LEASE

EPOCHS = 3

VALUES = st.sampled_from([0.5, 0.25, 0.75, 0.5, -1.0, None])
CURVES = st.lists(st.sampled_from([0.5, 0.75, 0.25, 0.5, -1.0]), max_size=EPOCHS)
OUTCOMES = st.sampled_from(["error", "out_of_memory", "diverged", "preempted", "cancelled"])
ENDS = st.sampled_from(["preempted", "preempted", "lost", "lost", "lost after a restart", "error"])
OR_NONE = st.sampled_from([None, "preempted", "error"])
SIGNS = st.sampled_from(["heartbeat", "report", "complete", "fail"])  # of life
ACTIONS = st.lists(
    st.sampled_from(["pause", "resume", "resume", "stop", "cancel"]), min_size=1, max_size=3
) | st.sampled_from([["stop", "cancel"], ["stop", "resume"], ["pause", "stop"], ["pause"]])
SECONDS = st.sampled_from([1.0, LEASE / 2, LEASE / 2, LEASE - 1, LEASE])
DOWN = st.sampled_from([0.0, LEASE / 2, 2 * LEASE])  # seconds
LIMITS = st.fixed_dictionaries(
    {
        "max_trials": st.sampled_from([1, 2, 3, 5, 8]),
        "max_parallel": st.integers(1, 3),
        "max_failed": st.sampled_from([None, 1, 2, 3]),
        "max_attempts": st.integers(1, 3),
    }
)
PICK = st.tuples(st.sampled_from([True, True, True, False]), st.integers(0, 5))
"""Which of several; True: of those at work, and where there are none, begin with some."""
