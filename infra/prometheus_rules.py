"""Write the rules of Prometheus for the Prometheus operator: `python -m infra.prometheus_rules FOLDER FILE`.

The operator reads rules as objects of Kubernetes. In a cluster, Prometheus also watches other software, so
`up` is narrowed to our namespace.
"""

import re
import sys
from pathlib import Path
from textwrap import indent

NAMESPACE = "luminary"
BEGIN = "groups:\n"
OBJECT = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: luminary-{name}
spec:
"""
NOTE = "# Written by `make pages` from infra/observability/prometheus/rules: change the rules there.\n"


def objects_of(folder: Path) -> str:
    """One object for each file of rules."""
    return NOTE + "---\n".join(object_of(file) for file in sorted(folder.glob("*.yml")))


def object_of(file: Path) -> str:
    """The object with the groups of a file."""
    groups = file.read_text(encoding="utf-8").partition(BEGIN)[2]
    return OBJECT.format(name=file.stem) + indent(BEGIN + in_namespace(groups), "  ")


def in_namespace(rules: str) -> str:
    """The rules with `up` of our namespace alone; the word `up` in a summary stays."""
    own = f'namespace="{NAMESPACE}"'
    rules = re.sub(r"\bup\{", f"up{{{own},", rules)
    return re.sub(r"\bup(?= ==)", f"up{{{own}}}", rules)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(objects_of(Path(sys.argv[1])), encoding="utf-8")
