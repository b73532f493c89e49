"""Kubernetes: overlays render, and what they say is what two versions of Kubernetes take."""

import pytest
import yaml
from tests.deploy.conftest import DEPLOY

from lehr_service.settings import Settings

KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ["1.36", "1.37"]
FOREIGN = {"ServiceMonitor", "ScaledObject"}  # of operators: Kubernetes has no schema of them


@pytest.fixture(params=["lab", "trial"])
def rendered(request, tool):
    text = tool("kubectl", "kustomize", KUBERNETES / "overlays" / request.param)
    return [document for document in yaml.safe_load_all(text) if document]


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
        if document["kind"] not in FOREIGN:
            validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found(rendered):
    validator = pytest.importorskip("kubernetes_validate")
    server = of(rendered, "Deployment", "lehr-server")
    server["spec"]["replica"] = 2
    with pytest.raises(validator.ValidationError, match="replica"):
        validator.validate(server, VERSIONS[-1], strict=True)


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


def test_the_lab_scales_workers_of_one_gpu_with_the_work(tool):
    text = tool("kubectl", "kustomize", KUBERNETES / "overlays" / "lab")
    rendered = [document for document in yaml.safe_load_all(text) if document]
    worker = of(rendered, "Deployment", "lehr-worker")["spec"]
    assert worker["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "replicas" not in worker
    scaled = of(rendered, "ScaledObject", "lehr-worker")["spec"]
    assert scaled["scaleTargetRef"]["name"] == "lehr-worker"
    assert "lehr_waiting_trials" in scaled["triggers"][0]["metadata"]["query"]
