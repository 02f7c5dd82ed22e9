"""A real SLURM on this host, of four virtual nodes, as Debian packages it.

    python tests/support/slurm_cluster.py

starts one in a new folder, prints what to export to use it, and stops it on Ctrl-C.
Needs munge, slurmctld, slurmd and slurm-client, and nothing of the system's own
configuration: keys, ports, state and logs are its own.
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
# Nodes are called what they can be reached at: JAX asks the first for the others.
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


def missing():
    """Programs that are not installed."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


@contextlib.contextmanager
def running(folder):
    """Within, a cluster runs; yields the environment in which to use it.

    Raises:
      TimeoutError: it did not come up within a minute; the text says what it wrote.
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
    for kind, name in (
        ("socket", "socket"),
        ("pid-file", "pid"),
        ("seed-file", "seed"),
    ):
        munge.append(f"--{kind}={folder}/munge.{name}")
    munge.append(f"--log-file={folder}/munge.log")
    daemons = [munge, ["slurmctld", "-D"]]
    daemons += [["slurmd", "-D", "-N", f"127.0.0.{i + 1}"] for i in range(NODES)]
    with contextlib.ExitStack() as stack:
        for number, words in enumerate(daemons):
            stack.enter_context(_daemon(words, environment, folder / f"{number}.log"))
            if number == 0:
                _until((folder / "munge.socket").exists, folder)
        _until(lambda: _idle(environment) == NODES, folder)
        yield environment


@contextlib.contextmanager
def _daemon(words, environment, log):
    with open(log, "wb") as file:
        process = subprocess.Popen(words, env=environment, stdout=file, stderr=file)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _idle(environment):
    words = ["sinfo", "--noheader", "--Node", "--format=%T"]
    found = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=False
    )
    return found.stdout.split().count("idle")


def _until(true, folder):
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-500:] for path in sorted(folder.glob("?.log")))
    raise TimeoutError(f"SLURM did not start:\n{logs}")


if __name__ == "__main__":
    if absent := missing():
        raise SystemExit(f"not installed: {', '.join(absent)}")
    with tempfile.TemporaryDirectory() as place:
        with running(Path(place) / "slurm") as variables:
            print(f"export SLURM_CONF={variables['SLURM_CONF']}", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
