"""A model of a Kubernetes cluster: what exists after each `kubectl`, and what each object refers to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.commands import ROOT, Command

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace (empty for the cluster's own), name."""
CLUSTER_WIDE = {"Namespace"}
POD_OWNERS = {"Deployment": (), "Job": (), "CronJob": ("jobTemplate", "spec")}
"""Kinds with a pod template, and where below `spec` it is."""
NAMED = {
    "serviceAccountName": "ServiceAccount",
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secretTargetRef": "Secret",
    "imagePullSecrets": "Secret",
    "secretName": "Secret",
    "claimName": "PersistentVolumeClaim",
    "authenticationRef": "TriggerAuthentication",
    "roleRef": "Role",
    "scaleTargetRef": "Deployment",
}
"""Fields that name another object of the same namespace, and its kind unless they say it themselves."""
SELECTED = {
    "Service": ("selector",),
    "PodDisruptionBudget": ("selector", "matchLabels"),
    "NetworkPolicy": ("podSelector", "matchLabels"),
}
"""Kinds that select pods, and where below `spec` the labels are."""
SHORT = {"deploy": "Deployment", "deployment": "Deployment", "job": "Job", "scaledobject": "ScaledObject"}


class MissingError(AssertionError):
    """A step of a sequence needs what does not exist there."""


class UnknownCommandError(AssertionError):
    """A document has a command that the model does not know."""

    def __init__(self, command: Command) -> None:
        super().__init__(f"teach tests/deploy what this needs and makes: {' '.join(command)}")


@dataclass
class Cluster:
    """The objects of a cluster, by kind, namespace and name."""

    objects: dict[Key, Object] = field(default_factory=dict)

    def kubectl(self, command: Command) -> None:
        """Do what the command does.  Raises MissingError, or UnknownCommandError."""
        words, namespace, sources = _split(command)
        match words:
            case [("describe" | "get"), *_]:
                pass
            case ["apply"]:
                self._apply([each for source in sources for each in source], namespace)
            case ["create", "namespace", name]:
                self._create({"kind": "Namespace", "metadata": {"name": name}}, "")
            case ["create", "secret", "generic", name, *literals]:
                self._create(_with_data("Secret", name, literals), namespace)
            case ["create", "configmap", name, *literals]:
                self._create(_with_data("ConfigMap", name, literals), namespace)
            case ["delete", kind, name, "--ignore-not-found"]:
                self.objects.pop((SHORT[kind], namespace, name), None)
            case ["annotate", kind, name, *_] if kind in SHORT:
                self._find(SHORT[kind], namespace, name)
            case [("wait" | "logs" | "exec" | "scale"), *rest] | ["rollout", ("status" | "restart"), *rest]:
                (target,) = [word for word in rest if "/" in word]
                kind, _, name = target.partition("/")
                self._find(SHORT[kind], namespace, name)
            case _:
                raise UnknownCommandError(command)

    def _create(self, made: Object, namespace: str) -> None:
        key = _key(made, namespace)
        assert key not in self.objects, f"{key} exists already, and 'create' fails"
        self._add(key, made)

    def _apply(self, made: list[Object], namespace: str) -> None:
        keys = [_key(each, namespace) for each in made]
        for key, each in zip(keys, made, strict=True):
            assert key[0] != "Job" or key not in self.objects, f"{key} exists, and a job cannot be changed"
            self._add(key, each)
        for key, each in zip(keys, made, strict=True):
            self._check(key, each)

    def _add(self, key: Key, made: Object) -> None:
        self.objects[key] = made
        if key[1]:
            self._find("Namespace", "", key[1])

    def _find(self, kind: str, namespace: str, name: str) -> Object:
        try:
            return self.objects[kind, namespace, name]
        except KeyError:
            raise MissingError(f"there is no {kind} {name} in {namespace or 'the cluster'}") from None

    def _check(self, key: Key, made: Object) -> None:
        kind, namespace, _ = key
        for wanted, name, data in references(made):
            named = self._find(wanted, namespace, name)
            if data and data not in named.get("data", {}):
                raise MissingError(f"{wanted} {name} has no {data}, which {key} needs")
        if kind in SELECTED:
            self._selected(_below(made["spec"], SELECTED[kind]), namespace, key)
        if kind == "Service":
            pods = self._selected(made["spec"]["selector"], namespace, key)
            for port in made["spec"]["ports"]:
                _has(port["targetPort"], (name for pod in pods for name in _port_names(pod)), key)
        if kind == "ServiceMonitor":
            labels = made["spec"]["selector"]["matchLabels"]
            services = [each for each in self._in(namespace, "Service") if _labelled(each, labels)]
            for endpoint in made["spec"]["endpoints"]:
                ports = (port["name"] for service in services for port in service["spec"]["ports"])
                _has(endpoint["port"], ports, key)
        if pod := pod_template(made):
            for probe in _probes(pod):
                _has(probe["httpGet"]["port"], _port_names(pod), key)

    def _selected(self, labels: dict[str, str], namespace: str, key: Key) -> list[Object]:
        owners = (each for kind in POD_OWNERS for each in self._in(namespace, kind))
        pods = [pod for pod in map(pod_template, owners) if pod and _labelled(pod, labels)]
        if not pods:
            raise MissingError(f"no pod has the labels {labels} that {key} selects")
        return pods

    def _in(self, namespace: str, kind: str) -> list[Object]:
        return [each for key, each in self.objects.items() if key[:2] == (kind, namespace)]


def rendered(folder: Path) -> list[Object]:
    """The objects of a kustomization, without its patches, which change no name."""
    made = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    objects: list[Object] = []
    for name in [*made.get("resources", []), *made.get("components", [])]:
        objects += rendered(folder / name) if (folder / name).is_dir() else _loaded(folder / name)
    for each in made.get("configMapGenerator", []):
        objects.append(_with_data("ConfigMap", each["name"], each["literals"]))
    for each in objects:
        for labels in made.get("labels", []):
            each["metadata"].setdefault("labels", {}).update(labels["pairs"])
            if labels.get("includeTemplates") and (pod := pod_template(each)):
                pod["metadata"].setdefault("labels", {}).update(labels["pairs"])
        if "namespace" in made and each["kind"] not in CLUSTER_WIDE:
            each["metadata"]["namespace"] = made["namespace"]
    return objects


def references(part: Any) -> Iterator[tuple[str, str, str]]:
    """Kind, name and, if one is needed, the key of everything that an object names."""
    if isinstance(part, list):
        for each in part:
            yield from references(each)
    if not isinstance(part, dict):
        return
    for field_name, value in part.items():
        if kind := NAMED.get(field_name):
            for each in value if isinstance(value, list) else [value]:
                named = each if isinstance(each, dict) else {"name": each}
                yield named.get("kind", kind), named["name"], named.get("key", "")
        else:
            assert not field_name.endswith("Ref") or field_name == "fieldRef", f"what does {field_name} name?"
            yield from references(value)


def pod_template(owner: Object) -> Object | None:
    """The pod template of a Deployment, a Job or a CronJob."""
    if owner["kind"] not in POD_OWNERS:
        return None
    template: Object = _below(owner["spec"], POD_OWNERS[owner["kind"]])["template"]
    template.setdefault("metadata", {})
    return template


def _split(command: Command) -> tuple[Command, str, list[list[Object]]]:
    """Words without options that the model leaves out, the namespace, and the objects of `-f` and `-k`."""
    words: Command = []
    namespace, sources = "default", []
    rest = iter(command[1:])
    for word in rest:
        if word == "--":
            break
        if word == "-n":
            namespace = next(rest)
        elif word == "-f":
            sources.append(_loaded(ROOT / next(rest)))
        elif word == "-k":
            sources.append(rendered(ROOT / next(rest)))
        elif not word.startswith("-") or word.startswith("--from-literal=") or word == "--ignore-not-found":
            words.append(word)
    return words, namespace, sources


def _loaded(file: Path) -> list[Object]:
    return [each for each in yaml.safe_load_all(file.read_text("utf-8")) if each]


def _with_data(kind: str, name: str, literals: list[str]) -> Object:
    data = dict(each.removeprefix("--from-literal=").split("=", 1) for each in literals)
    return {"kind": kind, "metadata": {"name": name}, "data": data}


def _key(made: Object, namespace: str) -> Key:
    meta = made["metadata"]
    own = "" if made["kind"] in CLUSTER_WIDE else meta.get("namespace", namespace)
    return made["kind"], own, meta["name"]


def _below(part: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        part = part[name]
    return part


def _labelled(made: Object, labels: dict[str, str]) -> bool:
    own: dict[str, str] = made["metadata"].get("labels", {})
    return labels.items() <= own.items()


def _port_names(pod: Object) -> list[str]:
    return [port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])]


def _probes(pod: Object) -> Iterator[Object]:
    for container in pod["spec"]["containers"]:
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if name in container:
                yield container[name]


def _has(name: str | int, names: Iterator[str] | list[str], key: Key) -> None:
    if isinstance(name, str) and name not in set(names):
        raise MissingError(f"no port is named {name}, which {key} needs")
