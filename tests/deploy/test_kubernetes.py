"""Kubernetes: overlays render, and what they say is what two versions of Kubernetes take.

``custom_kinds.json`` has the operators' kinds, as their definitions of the named versions have them
without texts and status; a field that they do not have is refused.
"""

import functools
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.deploy.conftest import DEPLOY, tool

from lehr_service.settings import Settings

KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ["1.36", "1.37"]
CUSTOM = json.loads((Path(__file__).parent / "custom_kinds.json").read_text())
# What a KEDA trigger on Prometheus may say (keda.sh/docs/scalers/prometheus): its definition takes
# any name there.
TRIGGER_NEEDS = {"serverAddress", "query", "threshold"}
TRIGGER_MAY = TRIGGER_NEEDS | {
    *("activationThreshold", "namespace", "customHeaders", "ignoreNullValues"),
    *("queryParameters", "unsafeSsl", "timeout", "authModes"),
}


@functools.cache
def text_of(overlay):
    return tool("kubectl", "kustomize", KUBERNETES / "overlays" / overlay)


def documents(overlay):
    return [document for document in yaml.safe_load_all(text_of(overlay)) if document]


@pytest.fixture(params=["lab", "trial"])
def rendered(request):
    return documents(request.param)


@pytest.fixture
def lab():
    return documents("lab")


def of(rendered, kind, name):
    return next(d for d in rendered if (d["kind"], d["metadata"]["name"]) == (kind, name))


def pods(rendered):
    for document in rendered:
        spec = document.get("spec", {})
        if "template" in spec:
            yield document["metadata"]["name"], spec["template"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_document(rendered, version):
    validate = pytest.importorskip("kubernetes_validate").validate
    for document in rendered:
        if document["kind"] not in CUSTOM:
            validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found(rendered):
    validator = pytest.importorskip("kubernetes_validate")
    server = of(rendered, "Deployment", "lehr-server")
    server["spec"]["replica"] = 2
    with pytest.raises(validator.ValidationError, match="replica"):
        validator.validate(server, VERSIONS[-1], strict=True)


def test_the_operators_take_their_kinds(lab):
    found = {document["kind"]: document for document in lab if document["kind"] in CUSTOM}
    assert set(found) == set(CUSTOM)
    for kind, document in found.items():
        jsonschema.validate(document, CUSTOM[kind], jsonschema.Draft202012Validator)
    (trigger,) = found["ScaledObject"]["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert set(trigger["metadata"]) >= TRIGGER_NEEDS
    assert set(trigger["metadata"]) <= TRIGGER_MAY


@pytest.mark.parametrize(
    ("kind", "path", "field", "wrong"),
    [
        ("ScaledObject", ["spec"], "maxReplicasCount", 64),
        ("ScaledObject", ["spec"], "pollingInterval", "30"),
        ("ScaledObject", ["spec", "advanced"], "horizontalPodAutoscaler", {}),
        ("ScaledObject", ["spec", "triggers", 0, "metadata"], "threshold", 1),
        ("ServiceMonitor", ["spec", "endpoints", 0], "intervall", "15s"),
        ("ServiceMonitor", ["spec", "endpoints", 0], "interval", "15 seconds"),
        ("ServiceMonitor", ["spec", "endpoints", 0, "authorization", "credentials"], "key", None),
        ("ServiceMonitor", ["spec", "selector"], "matchLabel", {}),
    ],
)
def test_a_field_that_an_operator_does_not_take_is_found(lab, kind, path, field, wrong):
    document = next(document for document in lab if document["kind"] == kind)
    place = document
    for key in path:
        place = place[key]
    place[field] = wrong
    with pytest.raises(jsonschema.ValidationError) as caught:
        jsonschema.validate(document, CUSTOM[kind], jsonschema.Draft202012Validator)
    assert list(caught.value.path)[: len(path)] == path
    assert field in caught.value.message or caught.value.path[-1] == field


def test_pods_keep_to_the_restricted_standard_and_their_names_fit(rendered):
    labels = {}
    for name, template in pods(rendered):
        labels |= {template["metadata"]["labels"]["app.kubernetes.io/name"]: template}
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        (container,) = spec["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert not container["securityContext"]["allowPrivilegeEscalation"], name
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | {"data"}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
        if "lehr" in container["image"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            # Kubernetes's own LEHR_..._PORT variables would be read as settings.
            assert spec["enableServiceLinks"] is False, name
    for document in rendered:
        spec = document.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        wanted = selector.get("matchLabels", selector).get("app.kubernetes.io/name")
        if document["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            assert wanted in labels, document["metadata"]["name"]


def test_variables_are_settings_and_times_fit_into_each_other(rendered):
    worker = of(rendered, "Deployment", "lehr-worker")["spec"]["template"]["spec"]
    variables = {e["name"]: e.get("value") for e in worker["containers"][0]["env"]}
    hand_back = 2 * 5 + 2  # the agent's own times after it has drained
    drain = float(variables["LEHR_DRAIN_SECONDS"])
    assert drain + hand_back < worker["terminationGracePeriodSeconds"]
    server = of(rendered, "Deployment", "lehr-server")["spec"]["template"]["spec"]
    known = {f"LEHR_{name.upper()}" for name in Settings.model_fields} | {"LEHR_TOKEN_FILE"}
    assert {e["name"] for e in server["containers"][0]["env"]} <= known
    probes = {p: server["containers"][0][f"{p}Probe"]["httpGet"] for p in ("liveness", "readiness")}
    assert (probes["liveness"]["path"], probes["readiness"]["path"]) == ("/healthz", "/readyz")
    service = of(rendered, "Service", "lehr-server")
    assert variables["LEHR_SERVER"] == f"http://lehr-server:{service['spec']['ports'][0]['port']}"


def test_the_lab_scales_workers_of_one_gpu_with_the_work(lab):
    worker = of(lab, "Deployment", "lehr-worker")["spec"]
    assert worker["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "replicas" not in worker
    scaled = of(lab, "ScaledObject", "lehr-worker")["spec"]
    assert scaled["scaleTargetRef"]["name"] == "lehr-worker"
    assert "lehr_waiting_trials" in scaled["triggers"][0]["metadata"]["query"]
