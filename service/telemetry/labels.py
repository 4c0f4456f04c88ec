"""Labels from a bounded set, whatever clients send."""

from collections.abc import Iterable, Mapping

OTHER = "other"


class ModelNames:
    """A model's label: the catalogue's id, else a name that the operator has configured, else `other`."""

    def __init__(self, catalogue: Mapping[str, str], configured: Mapping[str, str], also: Iterable[str] = ()) -> None:
        """`catalogue`: any name of a model -> its id; `configured`: alias -> id or ARN; `also`: further ids or ARNs."""
        self._known = dict(catalogue)
        for name, to in configured.items():
            self._known[name] = self._known.get(to, name)
            self._known.setdefault(to, name)  # an alias's ARN is labelled with the alias
        for name in also:
            self._known.setdefault(name, name)

    def label(self, model_id: str, base_id: str = "", *, default: str = OTHER) -> str:
        """Return a model's label, by the requested id or by the id of the model behind it."""
        return self._known.get(model_id) or self._known.get(base_id) or default
