"""The manifests of deploy/ are accepted as they are, and refused with any of their rules broken."""

import functools
import re
import runpy
import shutil
from pathlib import Path

import pytest
from kubernetes_validate import utils

ROOT = Path(__file__).parents[2]


utils.schema_contents = functools.cache(utils.schema_contents)  # it parses 2 MB for each manifest
problems = runpy.run_path(str(ROOT / "scripts/manifests.py"))["problems"]


def test_the_manifests_are_accepted():
    assert problems(ROOT / "deploy") == []


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("deployment", "maxSkew: 1", "maxSkew: one", "deployment.yaml: Kubernetes 1.37: "),
        ("deployment", "containers:", "container:", "deployment.yaml: Kubernetes 1.34: "),
        ("service", "targetPort: http", "targetPort: web", "Service: its targetPort is no port"),
        ("deployment", "runAsNonRoot: true", "runAsNonRoot: false", "Deployment: spec.securityContext.runAsNonRoot"),
        (
            "deployment",
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "readOnlyRootFilesystem must be True",
        ),
        ("migration", "drop: .ALL.", "drop: [NET_RAW]", "Job: spec.containers.0.securityContext.capabilities.drop"),
        (
            "migration",
            "requests: {cpu: 100m, memory: 192Mi}",
            "requests: {cpu: 100m}",
            "Job: resources.requests.memory",
        ),
        ("deployment", "path: /readyz", "path: /healthz", "Deployment: readinessProbe must request /readyz"),
        ("deployment", "livenessProbe", "xProbe", "Deployment: livenessProbe must request /healthz"),
        ("poddisruptionbudget", "component: server", "component: web", "PodDisruptionBudget: the selector"),
        (
            "service",
            ", app.kubernetes.io/component: server",
            "",
            "Service: the selector .* matches the pods of the migration",
        ),
        (
            "horizontalpodautoscaler",
            "Deployment, name: colloquy",
            "Deployment, name: web",
            "it scales .* not the server",
        ),
        (
            "horizontalpodautoscaler",
            "maxReplicas: 4",
            "maxReplicas: 5",
            "10 pods open 102 connections in a rollout, over 97",
        ),
        (
            "deployment",
            "terminationGracePeriodSeconds: 30",
            "terminationGracePeriodSeconds: 15",
            "stopping takes up to 20",
        ),
        ("configmap", 'SHUTDOWN_SECONDS: "10"', 'SHUTDOWN_SECONDS: "60"', "stopping takes up to 70"),
        ("configmap", 'POOL_SIZE: "8"', 'POOLSIZE: "8"', "ConfigMap and Secret: POOLSIZE is no setting"),
        ("configmap", 'POOL_SIZE: "8"', 'POOL_SIZE: "0"', "ConfigMap and Secret: POOL_SIZE: Input should be"),
        ("configmap", "BUDGET_COST", "BUDGET_SECONDS", "ConfigMap: BUDGET_COST must be at least 20000"),
        ("configmap", 'BUDGET_COST: "200000"', 'BUDGET_COST: "2000"', "ConfigMap: BUDGET_COST must be at least 20000"),
        ("secret.example", "postgresql://", "mysql://", "ConfigMap and Secret: DATABASE_URL: "),
        (
            "deployment",
            "secretRef: {name: colloquy}",
            "secretRef: {name: other}",
            "Deployment: envFrom does not name the Secret",
        ),
        ("kustomization", "  - service.yaml\n", "", "kustomization.yaml: service.yaml is a resource or a file"),
        ("../cloudrun/service", "name: http1", "name: h2c", "Cloud Run: the port must be http1"),
        ("../cloudrun/service", 'value: "7"', 'value: "10"', "Cloud Run: SHUTDOWN_SECONDS must be below 10"),
        ("../cloudrun/service", "BUDGET_COST", "BUDGET_SECONDS", "Cloud Run: BUDGET_COST must be at least 20000"),
        ("../cloudrun/service", "name: POOL_SIZE", "name: PORT", "Cloud Run: PORT is set by Cloud Run"),
        ("../cloudrun/service", "JWT_ISSUER", "JWT_ISSUERS", "Cloud Run: JWT_ISSUERS is no setting"),
    ],
)
def test_a_broken_rule_is_named(tmp_path, file, old, new, problem):
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    manifest = tmp_path / "deploy/kubernetes" / f"{file}.yaml"
    text, count = re.subn(old, new, manifest.read_text(), count=1)
    assert count == 1
    manifest.write_text(text)
    assert re.search(problem, "\n".join(problems(tmp_path / "deploy")))
