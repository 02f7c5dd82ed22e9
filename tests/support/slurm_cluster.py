"""A SLURM cluster of four virtual nodes on this host, from Debian's packages.

    python tests/support/slurm_cluster.py

starts it in a new folder, prints the environment variable to export, and stops it on
Ctrl-C. It needs munge, slurmctld, slurmd and slurm-client. It has its own keys, ports,
state and logs and does not read the system's configuration.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue")
NODES = 4
# Names of nodes are addresses: JAX connects to the first node by its name.
CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdParameters=config_overrides
SlurmctldPidFile={folder}/slurmctld.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
NodeName=127.0.0.[1-{nodes}] NodeHostname={host} Port=[{first}-{last}] CPUs=4
PartitionName=all Nodes=ALL Default=YES
"""


def missing_programs():
    """Names of programs that are not installed."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


@contextlib.contextmanager
def run_cluster(folder):
    """Runs a cluster in a folder; yields the environment variables of its commands.

    Raises:
      TimeoutError: it did not start within a minute; the text ends with its logs.
    """
    folder = Path(folder).resolve()
    (folder / "state").mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    first = 20_000 + os.getpid() % 20_000
    text = CONFIG.format(
        host=socket.gethostname().partition(".")[0],
        user=getpass.getuser(),
        folder=folder,
        nodes=NODES,
        port=first + NODES,
        first=first,
        last=first + NODES - 1,
    )
    (folder / "slurm.conf").write_text(text)
    environment = {
        **os.environ,
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        "SLURM_CONF": f"{folder}/slurm.conf",
    }
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    files = {"socket": "socket", "pid-file": "pid", "seed-file": "seed"}
    for option, name in (files | {"log-file": "log"}).items():
        munge.append(f"--{option}={folder}/munge.{name}")
    daemons = [munge, ["slurmctld", "-D"]]
    daemons += [["slurmd", "-D", "-N", f"127.0.0.{i + 1}"] for i in range(NODES)]
    with contextlib.ExitStack() as stack:
        for number, command in enumerate(daemons):
            stack.enter_context(
                _run_daemon(command, environment, folder / f"{number}.log")
            )
            if number == 0:
                _wait((folder / "munge.socket").exists, folder)
        _wait(lambda: _count_idle(environment) == NODES, folder)
        yield environment


@contextlib.contextmanager
def _run_daemon(command, environment, log):
    with open(log, "wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _count_idle(environment):
    command = ["sinfo", "--noheader", "--Node", "--format=%T"]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    return result.stdout.split().count("idle")


def _wait(condition, folder):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-500:] for path in sorted(folder.glob("?.log")))
    raise TimeoutError(f"SLURM did not start:\n{logs}")


if __name__ == "__main__":
    if absent := missing_programs():
        raise SystemExit(f"not installed: {', '.join(absent)}")
    with tempfile.TemporaryDirectory() as parent:
        with run_cluster(Path(parent) / "slurm") as variables:
            print(f"export SLURM_CONF={variables['SLURM_CONF']}", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
