"""An import-linter contract: a table says what each room of the package may import, and nothing else may be."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RoomsContract(Contract):
    """Each line of `rooms` is `room: what it may import`, of `owners` `package: rooms that may import it`.

    A room is a module or a package below `service`, or another root package; the most specific line applies.
    """

    type_name = "rooms"

    rooms = fields.ListField(subfield=fields.StringField())
    groups = fields.ListField(subfield=fields.StringField(), required=False)
    owners = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - import-linter's signature
        """Look at each import once."""
        root = self.session_options["root_packages"][0]
        groups = _table(self.contract_options.get("groups", []))
        rooms = {room: _expand(names, groups) for room, names in _table(self.contract_options["rooms"]).items()}
        owners = _table(self.contract_options.get("owners", []))
        others = self.session_options["root_packages"][1:]
        own = {module for module in graph.modules if module.startswith(f"{root}.") or module.split(".")[0] in others}
        names = {module: module.removeprefix(f"{root}.") for module in own}
        unlisted = [module for module in sorted(own) if not _line_of(names[module], rooms)]
        forbidden = [
            f"{importer} imports {imported}"
            for importer in sorted(own - set(unlisted))
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not _allowed(names[importer], imported, names, rooms, owners)
        ]
        mistakes = [f"{module} is in no room: give it a line" for module in unlisted] + forbidden
        return ContractCheck(kept=not mistakes, metadata={"mistakes": mistakes})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say each mistake on a line."""
        for mistake in check.metadata["mistakes"]:
            output.print_error(mistake)
        output.new_line()


def _table(lines: list[str]) -> dict[str, set[str]]:
    return {name.strip(): set(members.split()) for name, members in (line.split(":") for line in lines)}


def _expand(names: set[str], groups: dict[str, set[str]]) -> set[str]:
    return set().union(*(groups.get(name, {name}) for name in names))


def _lies_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def _line_of(module: str, rooms: dict[str, set[str]]) -> str:
    """The most specific room that `module` lies in, or nothing."""
    return max((room for room in rooms if _lies_in(module, room)), key=len, default="")


def _allowed(
    importer: str, imported: str, names: dict[str, str], rooms: dict[str, set[str]], owners: dict[str, set[str]]
) -> bool:
    if imported not in names:
        owner = owners.get(imported.split(".", maxsplit=1)[0])
        return owner is None or any(_lies_in(importer, room) for room in owner)
    room = _line_of(importer, rooms)
    return _lies_in(names[imported], room) or any(_lies_in(names[imported], below) for below in rooms[room])
