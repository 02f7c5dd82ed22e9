"""Where a run comes from: its commit, its machine, its versions, its configuration."""

import json
from collections import Counter

from cpcnn_jax.io.html import tag


def section(run):
    """The origin.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      Html; a sentence for each file that is absent.
    """
    return tag("div", _environment(run.environment), _configuration(run.config))


def _environment(environment):
    if not environment:
        return tag(
            "p", "The folder has no environment.json: machine and commit unknown."
        )
    told = {
        "commit": environment.get("commit"),
        "devices": _devices(environment.get("devices")),
        "platform": environment.get("platform"),
        "python": environment.get("python"),
    }
    packages = environment.get("packages")
    told |= packages if isinstance(packages, dict) else {}
    pairs = [
        tag("div", tag("dt", name), tag("dd", str(value)))
        for name, value in told.items()
        if value
    ]
    return tag("dl", *pairs)


def _devices(names):
    """Devices of a kind counted: cpu:0 and cpu:1 are 2 x cpu."""
    if not isinstance(names, list):
        return names
    kinds = Counter(str(name).rpartition(":")[0] or str(name) for name in names)
    return ", ".join(f"{number} × {kind}" for kind, number in kinds.items())


def _configuration(config):
    if not config:
        return tag("p", "The folder has no config.json: the experiment is unknown.")
    text = json.dumps(config, indent=2, ensure_ascii=False)
    return tag(
        "details",
        tag("summary", "Configuration (config.json)"),
        tag("pre", text, tabindex=0, aria_label="Configuration"),
    )
