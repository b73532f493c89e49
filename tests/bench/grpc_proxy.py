"""Optuna's gRPC proxy over a storage: ``python grpc_proxy.py STORAGE_URL PORT``."""

import sys

from optuna.storages import run_grpc_proxy_server
from optuna_load import storage_of

if __name__ == "__main__":
    run_grpc_proxy_server(storage_of("rdb", sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
