"""``Client``: the whole REST API of a lehr server, typed."""

from lehr.client.studies import StudyCalls
from lehr.client.tokens import TokenCalls
from lehr.client.workers import WorkerCalls

__all__ = ["Client"]


class Client(StudyCalls, WorkerCalls, TokenCalls):
    """A lehr server's REST API; may be shared by threads, and used as a context manager.

    ``server`` and ``token`` default to the environment's ``LEHR_SERVER`` and ``LEHR_TOKEN``, and
    the server then to ``http://127.0.0.1:8642``. ``ca_file`` (``LEHR_CA_FILE``) names a PEM file of
    the authorities, or the self-signed certificate, that HTTPS servers are trusted by. ``timeout``
    is in seconds, for connecting and for each wait for the server; long polls add their own wait.
    Requests that the server may see twice are sent again for up to ``retry_seconds``; ``sleep``
    waits in between, and ends the retries by returning true (give ``stop.wait`` of a
    ``threading.Event`` to be interruptible). Calls raise the errors of ``lehr.errors``.
    """
