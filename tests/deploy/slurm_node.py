"""A real Slurm of one node, its files in a folder: munge, slurmctld and slurmd, as root.

Debian: apt install slurmctld slurmd slurm-client munge
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")

_CONF = """
ClusterName=lehr
SlurmctldHost=localhost
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
KillWait=10
InactiveLimit=0
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName=localhost CPUs=8 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes=localhost Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP
"""


def missing() -> list[str]:
    """What of Slurm is not installed here."""
    return [name for name in NEEDED if shutil.which(name) is None]


class SlurmNode:
    """Started in a folder; ``run`` speaks to it as a user does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        controller, daemon = _free_ports()
        conf = _CONF.format(folder=folder, controller=controller, daemon=daemon)
        (folder / "slurm.conf").write_text(conf)
        # Devices that every machine has stand for two GPUs: nothing here opens them.
        gres = "".join(f"Name=gpu File={device}\n" for device in ("/dev/null", "/dev/zero"))
        (folder / "gres.conf").write_text(gres)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        places = [f"--{w}-file={folder}/munge.{w}" for w in ("key", "pid", "log", "seed")]
        self._daemon(
            "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *places
        )
        self._until(lambda: (folder / "munge.socket").exists())
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D", "-N", "localhost")
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T", check=False))

    def stop(self) -> None:
        if self._daemons:
            self.run("scancel", "--me", check=False)
            self._until(lambda: not self.run("squeue", "-h", check=False).strip())
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command: str | Path, check: bool = True, **extra: str) -> str:
        done = subprocess.run(
            command,
            env=self.environment | extra,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def job(self, number: str) -> str:
        """What Slurm says of a job."""
        return self.run("scontrol", "show", "job", number, check=False)

    def _daemon(self, *command: str) -> None:
        log = (self.folder / f"{command[0]}.out").open("wb")
        environment = self.environment
        self._daemons.append(
            subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
        )
        log.close()

    def _until(self, condition: object, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():  # type: ignore[operator]
            if time.monotonic() > end:
                logs = "\n".join(p.read_text()[-2000:] for p in self.folder.glob("*.log"))
                raise TimeoutError(f"Slurm did not get there:\n{logs}")
            threading.Event().wait(0.1)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


if __name__ == "__main__":  # a node to try things on, until Ctrl-C
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True)
    node = SlurmNode(folder)
    try:
        node.start()
        sys.stdout.write(f"export SLURM_CONF={folder}/slurm.conf\n")
        sys.stdout.flush()
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        node.stop()
