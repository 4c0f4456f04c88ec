"""The anatomy of a model id: geo prefix, provider, throughput suffix, and the ARNs that wrap them.

`[geo.]provider.model[-vN][:M][:throughput]`, or `arn:<partition>:bedrock:<region>:<account>:<resource>`. The partition
(`aws`, `aws-cn`, `aws-us-gov`, `aws-iso*`, `aws-eusc`) changes nothing here.
"""

import re

GEOS = ("us-gov", "us", "eu", "apac", "jp", "au", "ca", "in", "global")
"""Prefixes of inference profiles. `us-gov` stands before `us`, which is a prefix of it."""

_THROUGHPUT = re.compile(r":\d+k$")  # `:18k` … `:300k`, the variants of provisioned throughput
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>bedrock|sagemaker):[^:]*:[^:]*:(?P<kind>[a-z-]+)/(?P<rest>.+)")

_TELLING = frozenset({"foundation-model", "inference-profile"})
"""ARN resources that end in a model id."""


def arn_parts(model_id: str) -> tuple[str, str] | None:
    """Split a Bedrock (or SageMaker) ARN into its kind of resource and the rest; None for a plain id."""
    found = _ARN.fullmatch(model_id)
    return (found["kind"], found["rest"]) if found else None


def without_geo(model_id: str) -> str:
    """Take off the geo prefix of an inference profile."""
    for geo in GEOS:
        if model_id.startswith(geo + ".") and "." in model_id[len(geo) + 1 :]:
            return model_id[len(geo) + 1 :]
    return model_id


def bare(model_id: str) -> str | None:
    """Reduce an id or an ARN to the model's base id; None where the ARN hides it."""
    parts = arn_parts(model_id)
    if parts is None:
        return None if model_id.startswith("arn:") else _THROUGHPUT.sub("", without_geo(model_id))
    kind, rest = parts
    if kind in _TELLING:
        return _THROUGHPUT.sub("", without_geo(rest))
    if kind == "custom-model":  # `custom-model/<base id>/<12 characters>`
        return _THROUGHPUT.sub("", without_geo(rest.split("/")[0])) if "." in rest else None
    return None


def is_prompt(model_id: str) -> bool:
    """Whether the id is a stored prompt's: messages and system stand in it already."""
    parts = arn_parts(model_id)
    return parts is not None and parts[0] == "prompt"


def hides_profile(model_id: str) -> bool:
    """Whether the id is an application profile's, whose model GetInferenceProfile alone can tell."""
    parts = arn_parts(model_id)
    return parts is not None and parts[0] == "application-inference-profile"
