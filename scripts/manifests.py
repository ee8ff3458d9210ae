"""Validates the manifests of deploy/ without a network: `manifests.py [DIRECTORY]`.

Every Kubernetes manifest fits the schemas of the oldest and the newest Kubernetes that are supported. Beyond the
schemas: pods are locked down, probes request the right paths, selectors match the pods of the server and no others, the
time to stop is long enough, the connections fit PostgreSQL, owners have budgets, and every variable is a setting with
an accepted value.
Exits with 1 and a line for each problem.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from pydantic import ValidationError

from app.settings import Settings

KUBERNETES = ("1.34", "1.37")
PROBES = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
CLOUD_RUN_PROBES = {"startupProbe": "/readyz", "livenessProbe": "/healthz"}
CLOUD_RUN_STOPS_SECONDS = 10
CLOUD_RUN_REQUEST_SECONDS = 3600
RESERVE_SECONDS = 5
MAX_CONNECTIONS = 100 - 3  # PostgreSQL's default, less those for superusers
BESIDES_POOL = 2  # connections of a server: one that listens, one for the sweeper
JOB_CONNECTIONS = 2
Manifest = dict[str, Any]


def at(value: Any, *keys: str | int) -> Any:
    """The value at a path, or None if a part of the path is absent."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


class Kubernetes:
    """The manifests of one directory, by kind: there is one of each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = {p.name: yaml.safe_load(p.read_text()) for p in sorted(directory.glob("*.yaml"))}
        self.kustomization: Manifest = self.files.pop("kustomization.yaml")
        self.by_kind: dict[str, Manifest] = {manifest["kind"]: manifest for manifest in self.files.values()}
        self.pods = {kind: at(self[kind], "spec", "template") for kind in ("Deployment", "Job")}
        self.settings = at(self["ConfigMap"], "data") | at(self["Secret"], "stringData")

    def __getitem__(self, kind: str) -> Manifest:
        return self.by_kind.get(kind, {})


def fits_schema(manifests: Kubernetes) -> Iterator[str]:
    for name, manifest in manifests.files.items():
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{name}: {error.message}"


def lists_every_file(manifests: Kubernetes) -> Iterator[str]:
    expected = {name for name in manifests.files if ".example." not in name}
    for name in sorted(expected ^ set(manifests.kustomization["resources"])):
        yield f"kustomization.yaml: {name} is a resource or a file, but not both"
    images = {image["name"] for image in manifests.kustomization["images"]}
    for kind, pod in manifests.pods.items():
        if (image := at(pod, "spec", "containers", 0, "image")) not in images:
            yield f"{kind}: the image {image} is not in kustomization.yaml"


def is_locked_down(manifests: Kubernetes) -> Iterator[str]:
    required = {
        ("spec", "securityContext", "runAsNonRoot"): True,
        ("spec", "securityContext", "seccompProfile", "type"): "RuntimeDefault",
        ("spec", "automountServiceAccountToken"): False,
        ("spec", "serviceAccountName"): at(manifests["ServiceAccount"], "metadata", "name"),
        ("spec", "containers", 0, "securityContext", "readOnlyRootFilesystem"): True,
        ("spec", "containers", 0, "securityContext", "allowPrivilegeEscalation"): False,
        ("spec", "containers", 0, "securityContext", "capabilities", "drop"): ["ALL"],
    }
    for kind, pod in manifests.pods.items():
        for path, value in required.items():
            if at(pod, *path) != value:
                yield f"{kind}: {'.'.join(map(str, path))} must be {value}, not {at(pod, *path)}"
        for amount in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if not at(pod, "spec", "containers", 0, "resources", *amount):
                yield f"{kind}: resources.{'.'.join(amount)} is missing"


def probes(name: str, container: Manifest, expected: dict[str, str]) -> Iterator[str]:
    for probe, path in expected.items():
        if at(container, probe, "httpGet", "path") != path:
            yield f"{name}: {probe} must request {path}"


def selects_servers_only(manifests: Kubernetes) -> Iterator[str]:
    server, job = (at(pod, "metadata", "labels") or {} for pod in manifests.pods.values())
    selectors = {
        "Deployment": at(manifests["Deployment"], "spec", "selector", "matchLabels"),
        "Service": at(manifests["Service"], "spec", "selector"),
        "PodDisruptionBudget": at(manifests["PodDisruptionBudget"], "spec", "selector", "matchLabels"),
    }
    for index, spread in enumerate(at(manifests.pods["Deployment"], "spec", "topologySpreadConstraints") or []):
        selectors[f"Deployment: topologySpreadConstraints.{index}"] = at(spread, "labelSelector", "matchLabels")
    for name, selector in selectors.items():
        if not selector or not selector.items() <= server.items():
            yield f"{name}: the selector {selector} does not match the server's pods {server}"
        elif selector.items() <= job.items():
            yield f"{name}: the selector {selector} matches the pods of the migration too"
    target = at(manifests["HorizontalPodAutoscaler"], "spec", "scaleTargetRef")
    if target != {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": at(manifests["Deployment"], "metadata", "name"),
    }:
        yield f"HorizontalPodAutoscaler: it scales {target}, which is not the server"
    if at(manifests["Deployment"], "spec", "replicas") is not None:
        yield "Deployment: replicas belongs to the HorizontalPodAutoscaler"
    if at(manifests["Service"], "spec", "ports", 0, "targetPort") not in {
        port["name"] for port in at(manifests.pods["Deployment"], "spec", "containers", 0, "ports") or []
    }:
        yield "Service: its targetPort is no port of the server"


def stops_in_time(manifests: Kubernetes) -> Iterator[str]:
    pod = manifests.pods["Deployment"]
    pause = at(pod, "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds")
    grace = at(pod, "spec", "terminationGracePeriodSeconds") or 30
    needed = (pause or 0) + seconds_to_stop(manifests.settings) + RESERVE_SECONDS
    if not pause:
        yield "Deployment: preStop.sleep is missing: endpoints forget a pod later than it stops"
    if grace < needed:
        yield f"Deployment: terminationGracePeriodSeconds is {grace}, and stopping takes up to {needed}"


def connects_within_limits(manifests: Kubernetes) -> Iterator[str]:
    replicas = at(manifests["HorizontalPodAutoscaler"], "spec", "maxReplicas") or 0
    surge = at(manifests["Deployment"], "spec", "strategy", "rollingUpdate", "maxSurge")
    pods = replicas + (replicas * int(surge[:-1]) // 100 if isinstance(surge, str) else surge or 0)
    needed = connections(manifests.settings, pods) + JOB_CONNECTIONS
    if needed > MAX_CONNECTIONS:
        yield f"HorizontalPodAutoscaler: {pods} pods open {needed} connections in a rollout, over {MAX_CONNECTIONS}"
    if (at(manifests["HorizontalPodAutoscaler"], "spec", "minReplicas") or 1) < 2:
        yield "HorizontalPodAutoscaler: with fewer than 2 pods every disruption is an outage"


def reads_its_settings(manifests: Kubernetes) -> Iterator[str]:
    for kind, pod in manifests.pods.items():
        sources = at(pod, "spec", "containers", 0, "envFrom") or []
        for source, referred in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            name = at(manifests[referred], "metadata", "name")
            if {"name": name} not in [entry.get(source) for entry in sources]:
                yield f"{kind}: envFrom does not name the {referred} {name}"
        for entry in at(pod, "spec", "containers", 0, "env") or []:
            yield from unknown(kind, [entry["name"]])
    yield from unknown("ConfigMap and Secret", manifests.settings)
    yield from refused("ConfigMap and Secret", manifests.settings)


def unknown(name: str, variables: Any) -> Iterator[str]:
    for variable in variables:
        if variable.lower() not in Settings.model_fields or variable != variable.upper():
            yield f"{name}: {variable} is no setting"


def refused(name: str, variables: dict[str, str]) -> Iterator[str]:
    """Values that the server would not start with."""
    try:
        Settings(**{variable.lower(): value for variable, value in variables.items()})  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in error.errors():
            yield f"{name}: {str(problem['loc'][0]).upper()}: {problem['msg']}"


def has_budgets(name: str, variables: dict[str, str]) -> Iterator[str]:
    largest = int(variables.get("MAX_COST", default("max_cost")))
    if int(variables.get("BUDGET_COST", 0)) < largest:
        yield f"{name}: BUDGET_COST must be at least {largest}, the largest cost of an operation"


def default(setting: str) -> int:
    return int(Settings.model_fields[setting].default)


def seconds_to_stop(variables: dict[str, str]) -> int:
    return int(variables.get("SHUTDOWN_SECONDS", default("shutdown_seconds")))


def connections(variables: dict[str, str], processes: int) -> int:
    pool, workers = (int(variables.get(name.upper(), default(name))) for name in ("pool_size", "workers"))
    return processes * workers * (pool + BESIDES_POOL)


def cloud_run(service: Manifest) -> Iterator[str]:
    template = at(service, "spec", "template")
    container = at(template, "spec", "containers", 0)
    values = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    annotations = at(template, "metadata", "annotations")
    yield from unknown("Cloud Run", [entry["name"] for entry in container["env"]])
    yield from refused("Cloud Run", values)
    yield from has_budgets("Cloud Run", values)
    yield from probes("Cloud Run", container, CLOUD_RUN_PROBES)
    if "PORT" in [entry["name"] for entry in container["env"]]:
        yield "Cloud Run: PORT is set by Cloud Run"
    if at(container, "ports", 0, "name") != "http1":
        yield "Cloud Run: the port must be http1: WebSockets need HTTP/1"
    if not 300 < at(template, "spec", "timeoutSeconds") <= CLOUD_RUN_REQUEST_SECONDS:
        yield f"Cloud Run: timeoutSeconds ends sockets; give up to {CLOUD_RUN_REQUEST_SECONDS}"
    if at(annotations, "run.googleapis.com/cpu-throttling") != "false":
        yield "Cloud Run: cpu-throttling must be false: wake-ups and the sweeper work between requests"
    if seconds_to_stop(values) >= CLOUD_RUN_STOPS_SECONDS:
        yield f"Cloud Run: SHUTDOWN_SECONDS must be below {CLOUD_RUN_STOPS_SECONDS}"
    instances = 2 * int(at(annotations, "autoscaling.knative.dev/maxScale"))
    if (needed := connections(values, instances) + JOB_CONNECTIONS) > MAX_CONNECTIONS:
        yield f"Cloud Run: {instances} instances open {needed} connections in a rollout, over {MAX_CONNECTIONS}"


RULES: list[Callable[[Kubernetes], Iterator[str]]] = [
    fits_schema,
    lists_every_file,
    is_locked_down,
    lambda manifests: probes("Deployment", at(manifests.pods["Deployment"], "spec", "containers", 0), PROBES),
    selects_servers_only,
    stops_in_time,
    connects_within_limits,
    reads_its_settings,
    lambda manifests: has_budgets("ConfigMap", manifests.settings),
]


def problems(directory: Path) -> list[str]:
    kubernetes = Kubernetes(directory / "kubernetes")
    service = yaml.safe_load((directory / "cloudrun/service.yaml").read_text())
    return [problem for rule in RULES for problem in rule(kubernetes)] + list(cloud_run(service))


def main(directory: Path) -> int:
    found = problems(directory)
    for problem in found:
        print(problem)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "deploy")))
