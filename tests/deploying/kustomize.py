"""The part of kustomize that `deploy/kubernetes` uses, so that the result can be tested without its binary.

It knows `resources`, `components`, `namespace`, `images`, `labels`, `configMapGenerator` with `merge` (without the hash
in the name) and strategic merges in `patches`. Anything else in a kustomization is an error and not overlooked. With
kubectl 1.34 both overlays came out the same (2026-11-24).
"""

import copy
from pathlib import Path
from typing import Any

from tests.deploying.manifests import document, documents, variables
from tests.harness import Json

KNOWN = {
    *("apiVersion", "kind", "resources", "components", "namespace", "images", "labels"),
    *("configMapGenerator", "patches"),
}
CLUSTER_WIDE = {"Namespace"}
# The member that identifies the items of a list, by the list's name; other lists are replaced.
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}


def build(folder: Path) -> list[Json]:
    """Render an overlay or a base."""
    return _build(folder, [])


def _build(folder: Path, so_far: list[Json]) -> list[Json]:
    """Render a kustomization; a component changes the resources so far."""
    wanted = document(folder / "kustomization.yaml")
    assert set(wanted) <= KNOWN, f"{folder}: the loader of this test does not know {set(wanted) - KNOWN}"
    found = list(so_far)
    for name in wanted.get("resources", []):
        path = folder / name
        found += _build(path, []) if path.is_dir() else documents(path)
    for name in wanted.get("components", []):
        found = _build(folder / name, found)
    for order in wanted.get("configMapGenerator", []):
        found = _with_config_map(found, order, folder)
    for patch in wanted.get("patches", []):
        for change in documents(folder / patch["path"]):
            found = _patched(found, change)
    for thing in found:
        if "namespace" in wanted and thing["kind"] not in CLUSTER_WIDE:
            thing["metadata"]["namespace"] = wanted["namespace"]
        for label in wanted.get("labels", []):
            thing["metadata"].setdefault("labels", {}).update(label["pairs"])
        for image in wanted.get("images", []):
            _name_image(thing, image)
    return found


def identity(thing: Json) -> tuple[str, str]:
    """Return what identifies a resource for a patch."""
    return thing["kind"], thing["metadata"]["name"]


def _with_config_map(found: list[Json], order: Json, folder: Path) -> list[Json]:
    values = {name: value for path in order["envs"] for name, value in variables(folder / path).items()}
    made: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": order["name"]}, "data": values}
    if order.get("behavior") == "merge":
        return _patched(found, made)
    return [*found, made]


def _patched(found: list[Json], change: Json) -> list[Json]:
    (at,) = (number for number, thing in enumerate(found) if identity(thing) == identity(change))
    if change.get("$patch") == "delete":
        return found[:at] + found[at + 1 :]
    return [*found[:at], _merged(found[at], change), *found[at + 1 :]]


def _merged(base: Any, change: Any, name: str = "") -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        result = copy.deepcopy(base)
        for key, value in change.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = _merged(base.get(key), value, key)
        return result
    if isinstance(change, list) and isinstance(base, list) and name in KEYS:
        return _merged_list(base, change, KEYS[name])
    return copy.deepcopy(change)


def _merged_list(base: list[Json], change: list[Json], key: str) -> list[Json]:
    items = {item[key]: item for item in base}
    for item in change:
        if item.get("$patch") == "delete":
            del items[item[key]]
        else:
            items[item[key]] = _merged(items.get(item[key]), item)
    return list(items.values())


def _name_image(thing: Json, image: Json) -> None:
    spec = thing.get("spec", {}).get("template", {}).get("spec", {})
    for container in spec.get("containers", []):
        if container["image"] == image["name"]:
            container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
