"""Reads the schema of Terraform's AWS provider from the classes that HashiCorp generated from it.

The npm package @cdktf/provider-aws has a class for each resource.  Its code says of each argument whether
it is a block and of which type, its types whether it is required, and its comments what AWS alone sets.
What it does not say is which optional arguments AWS sets if they are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARGUMENT = re.compile(
    r"^            (\w+): \{\n                value: .*\n                isBlock: (true|false),\n"
    r'                type: "(\w+)",\n                storageClassType: "(\w+)",$',
    re.MULTILINE,
)
NESTED_ARGUMENT = re.compile(
    r"^        (\w+): \{\n            value: .*\n            isBlock: (true|false),\n"
    r'            type: "(\w+)",\n            storageClassType: "(\w+)",$',
    re.MULTILINE,
)
COMPUTED = re.compile(
    r"// (\w+) - computed: true, optional: false, required: false\n"
    r"\s+(?:get \w+\(\) \{\n\s+return (.*);|.*new (\w+)\()"
)
GETTERS = {
    "getStringAttribute": '"string"',
    "getNumberAttribute": '"number"',
    "getBooleanAttribute": '"bool"',
    "getListAttribute": '["list","string"]',
    "getStringMapAttribute": '["map","string"]',
    "getNumberListAttribute": '["list","number"]',
}
SCALARS = {"string": '"string"', "number": '"number"', "boolean": '"bool"'}


@dataclass(frozen=True)
class Attribute:
    """An argument or attribute; `kind` is its type as Terraform's protocol writes it."""

    name: str
    kind: str
    required: bool = False
    computed: bool = False


@dataclass(frozen=True)
class Nested:
    """A block within a block."""

    name: str
    block: "Block"
    nesting: str
    least: int
    most: int


@dataclass(frozen=True)
class Block:
    """The content of a resource, data source, provider or block."""

    attributes: tuple[Attribute, ...]
    blocks: tuple[Nested, ...]


def block(library: Path, folder: str) -> Block:
    """The schema of one class: `ecs-service`, `data-aws-region`, `provider`."""
    code = (library / folder / "index.js").read_text("utf-8")
    types = (library / folder / "index.d.ts").read_text("utf-8")
    (name,) = re.findall(
        r"^class (\w+) extends cdktf\.Terraform(?:Resource|DataSource|Provider) ", code, re.MULTILINE
    )
    body = code[code.index(f"class {name} extends") :]
    settable = ARGUMENT.findall(body)
    known = {argument for argument, *_ in settable}
    computed = (
        Attribute(found, _computed_kind(getter), computed=True)
        for found, getter, _ in COMPUTED.findall(body)
        if found not in known
    )
    made = _block(code, types, f"{name}Config", settable, body)
    attributes = (*made.attributes, *computed)
    if not attributes:
        raise ValueError(f"no attribute of {name} can be read")
    return Block(attributes, made.blocks)


def _block(
    code: str, types: str, interface: str, settable: list[tuple[str, str, str, str]], body: str
) -> Block:
    required = _required(types, interface)
    attributes: list[Attribute] = []
    blocks: list[Nested] = []
    for name, is_block, kind, storage in settable:
        if is_block == "true":
            blocks.append(_nested(code, types, name, kind, storage, body, required=_camel(name) in required))
        else:
            attributes.append(Attribute(name, _kind(kind, storage), _camel(name) in required))
    return Block(tuple(attributes), tuple(blocks))


def _nested(
    code: str, types: str, name: str, kind: str, storage: str, body: str, *, required: bool
) -> Nested:
    structure = storage if kind == "struct" else storage.removesuffix("List")
    name_of_function = f"{structure[0].lower()}{structure[1:]}ToHclTerraform"
    function = code.partition(f"function {name_of_function}(struct) {{")[2].partition("\n}\n")[0]
    # The provider's own blocks cannot be referred to, so they have no such class.
    inner_body = code.partition(f"class {structure}OutputReference ")[2].partition("\nexports.")[0]
    inner = _block(code, types, structure, NESTED_ARGUMENT.findall(function), inner_body)
    single = f'new {structure}OutputReference(this, "{name}")' in body
    nesting = "single" if kind == "struct" else kind
    return Nested(name, inner, nesting, int(required), 1 if single and nesting != "single" else 0)


def _required(types: str, interface: str) -> set[str]:
    found = re.search(rf"export interface {interface}\b.*?\n}}", types, re.DOTALL)
    if not found:
        raise ValueError(f"the types have no {interface}")
    return set(re.findall(r"^    readonly (\w+): ", found[0], re.MULTILINE))


def _kind(kind: str, storage: str) -> str:
    if kind == "simple":
        return SCALARS[storage]
    element = storage.removesuffix("List").removesuffix("Map")
    return f'["{kind}",{SCALARS[element]}]' if element in SCALARS else '"dynamic"'


def _computed_kind(getter: str) -> str:
    name = next((each for each in GETTERS if f"this.{each}(" in getter), "")
    kind = GETTERS.get(name, '"dynamic"')
    return kind.replace("list", "set", 1) if "Fn.tolist" in getter else kind


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def version(library: Path) -> str:
    """The provider's version that the classes were generated from."""
    found = re.search(r"providerVersion: '([\d.]+)'", (library / "ecs-service/index.js").read_text("utf-8"))
    return found[1] if found else "?"


def used(folder: Path) -> Iterator[tuple[str, str]]:
    """The resources and data sources of a configuration: (`resource` or `data`, `aws_ecs_service`)."""
    text = "\n".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    yield from sorted(set(re.findall(r'^(resource|data) "(aws_\w+)"', text, re.MULTILINE)))


def class_folder(kind: str, name: str) -> str:
    """Where the class of a resource or data source lies."""
    return ("data-" if kind == "data" else "") + (
        name if kind == "data" else name.removeprefix("aws_")
    ).replace("_", "-")
