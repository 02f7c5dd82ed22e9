"""Provenance of a run: commit, machine, package versions and configuration."""

import json
from collections import Counter

from cpcnn_jax.evaluation.report.run_files import RunFiles
from cpcnn_jax.io.html import Html, tag


def render(run: RunFiles) -> Html:
    """Renders the machine and the configuration."""
    environment = _render_environment(run.environment)
    return tag("div", environment, _render_configuration(run.config))


def _render_environment(environment):
    if not environment:
        return tag("p", "The folder has no environment.json with machine and commit.")
    entries = {
        "commit": environment.get("commit"),
        "devices": _count_devices(environment.get("devices")),
        "platform": environment.get("platform"),
        "python": environment.get("python"),
    }
    packages = environment.get("packages")
    entries |= packages if isinstance(packages, dict) else {}
    pairs = [
        tag("div", tag("dt", name), tag("dd", str(value)))
        for name, value in entries.items()
        if value
    ]
    return tag("dl", *pairs)


def _count_devices(names):
    """Counts the devices of each kind; cpu:0 and cpu:1 are "2 × cpu"."""
    if not isinstance(names, list):
        return names
    kinds = Counter(str(name).rpartition(":")[0] or str(name) for name in names)
    return ", ".join(f"{number} × {kind}" for kind, number in kinds.items())


def _render_configuration(config):
    if not config:
        return tag("p", "The folder has no config.json with the experiment.")
    text = json.dumps(config, indent=2, ensure_ascii=False)
    return tag(
        "details",
        tag("summary", "Configuration (config.json)"),
        tag("pre", text, tabindex=0, aria_label="Configuration"),
    )
