"""Names followed through imports, base classes and types to where they are defined."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..facts import Definition, Facts, Import
from ..parse import CLASSES
from ..resolvers import resolve

# Imports that lead on to imports: more of them are mostly circles.
HOPS = 3
# Files of one package that are looked at.
FILES = 20
# Languages in which the files of a directory share their names.
PACKAGES = frozenset(("go", "java"))
# Types that say how something is held; what is held matters.
_HOLDER = re.compile(
    r"Optional|Union|Annotated|Final|ClassVar|[tT]ype|None|null|undefined|const|readonly|Promise"
    r"|Awaitable|Readonly|Partial|Required|typing|t|mut|dyn|impl|Box|Rc|Arc|Option|Result"
)
_CHAIN = re.compile(r"[A-Za-z_$][\w$]*(?:\s*(?:\.|::)\s*[A-Za-z_$][\w$]*)*(?:\(\))?")


class Index(Protocol):
    """What retrieval asks of an index; nothing of it fails, what is unknown is empty."""

    def facts(self, path: str) -> Facts | None: ...

    def exists(self, path: str) -> bool: ...

    def named(self, base: str) -> Sequence[str]: ...

    def inside(self, directory: str) -> Sequence[str]: ...

    def definers(self, name: str) -> Sequence[str]:
        """Files that define `name` somewhere."""
        ...

    def popularity(self, name: str) -> int:
        """In how many files `name` occurs, roughly."""
        ...

    def users(self, name: str, most: int = 200) -> Sequence[str]:
        """Files in which `name` occurs as code."""
        ...


class Symbol(NamedTuple):
    """A definition: the number it has among those of its file, -1 for the file itself."""

    path: str
    number: int


class Names:
    """The index with open documents laid over it; it lives for one request."""

    def __init__(self, index: Index, live: Mapping[str, Facts]) -> None:
        self.index, self._live = index, live
        self._open = dict.fromkeys(live)
        self._facts: dict[str, Facts | None] = {}
        self._resolved: dict[tuple[str, str, str], list[str]] = {}
        self._tops: dict[str, dict[str, int]] = {}
        self._members: dict[Symbol, dict[str, Symbol]] = {}
        self._popularity: dict[str, int] = {}
        self._own: dict[str, set[str]] = {}  # Names in a file as the index has it.

    def facts(self, path: str) -> Facts | None:
        if path not in self._facts:
            live = path in self._live
            self._facts[path] = self._live[path] if live else self.index.facts(path)
        return self._facts[path]

    def definition(self, symbol: Symbol) -> Definition:
        facts = self.facts(symbol.path)
        assert facts
        return facts.definitions[symbol.number]

    def exists(self, path: str) -> bool:
        return path in self._open or self.index.exists(path)

    def named(self, base: str) -> list[str]:
        """Files whose name, without their directory, is `base`."""
        return self._with_open(self.index.named(base), 2, base)

    def inside(self, directory: str) -> list[str]:
        return self._with_open(self.index.inside(directory), 0, directory)

    def _with_open(self, stored: Sequence[str], part: int, wanted: str) -> list[str]:
        more = (p for p in self._open if p.rpartition("/")[part] == wanted and p not in stored)
        return [*stored, *more]

    def definers(self, name: str) -> list[str]:
        """Files that define `name` somewhere, those that are open as they are being typed."""
        typed = [path for path in self._open if self._has(path, name, "definitions")]
        return [*[p for p in self.index.definers(name) if p not in self._open], *typed]

    def users(self, name: str) -> list[str]:
        """Files in which `name` occurs as code, those that are open as they are being typed."""
        typed = [path for path in self._open if self._has(path, name, "references")]
        return [*[p for p in self.index.users(name) if p not in self._open], *typed]

    def _has(self, path: str, name: str, table: str) -> bool:
        facts = self.facts(path)
        return any(one.name == name for one in getattr(facts, table)) if facts else False

    def tops(self, path: str) -> dict[str, int]:
        """Top-level definitions of a file by name; the first one where there are several."""
        if path not in self._tops:
            facts = self.facts(path)
            rows = facts.definitions if facts else ()
            named: dict[str, int] = {}
            for number, one in enumerate(rows):
                if one.parent < 0:
                    named.setdefault(one.name, number)
            self._tops[path] = named
        return self._tops[path]

    def popularity(self, name: str, path: str) -> int:
        """In how many files other than `path` the name occurs."""
        if name not in self._popularity:
            self._popularity[name] = self.index.popularity(name)
        if path not in self._own:
            stored = self.index.facts(path)
            self._own[path] = {one.name for one in stored.references} if stored else set()
        return max(0, self._popularity[name] - (name in self._own[path]))

    def modules(self, module: str, importer: str) -> list[str]:
        """The files that `module` means in `importer`."""
        facts = self.facts(importer)
        key = (facts.language if facts else "", module, importer)
        if key not in self._resolved:
            self._resolved[key] = resolve(*key, self)
        return self._resolved[key]

    def top(self, path: str, name: str, hops: int = HOPS) -> Symbol | None:
        """What `name` means at the top of a file: defined there or imported from elsewhere."""
        number = self.tops(path).get(name)
        if number is not None:
            return Symbol(path, number)
        facts = self.facts(path)
        if not facts or not hops:
            return None
        stars: list[Import] = []
        for one in facts.imports:
            if one.name == "*":
                stars.append(one)
            elif one.alias == name and (one.name != name or one.module):
                return self.target(path, one, hops - 1)
        for one in stars:
            for file in self.modules(one.module, path)[:1]:
                if found := self.top(file, name, hops - 1):
                    return found
        return self._of_package(facts.language, path, name)

    def _of_package(self, language: str, path: str, name: str) -> Symbol | None:
        """What another file of the same package calls so."""
        directory = path.rpartition("/")[0]
        for file in self.definers(name) if language in PACKAGES else ():
            if file.rpartition("/")[0] == directory and name in self.tops(file):
                return Symbol(file, self.tops(file)[name])
        return None

    def target(self, path: str, one: Import, hops: int = HOPS) -> Symbol | None:
        """What an import in the file `path` binds."""
        if not one.module:
            return self.top(path, one.name, hops)  # `export { name as alias }`
        for file in self.modules(one.module, path)[:2]:
            facts = self.facts(file)
            if facts and facts.language == "java" and not one.name:
                return self.top(file, one.alias, hops)  # A class is a file.
            if not one.name or one.name == "*":
                return Symbol(file, -1)
            if one.name == "default":
                if found := self._default(file, hops):
                    return found
            elif found := self.top(file, one.name, hops):
                return found
        # `from package import module`
        joined = f"{one.module}{'' if one.module.endswith('.') else '.'}{one.name}"
        files = self.modules(joined, path) if one.name not in ("", "*", "default") else []
        return Symbol(files[0], -1) if files else None

    def meaning(self, path: str, chain: str) -> Symbol | None:
        """What a dotted name means in a file: `Store`, `paths.Store`."""
        head, *rest = re.split(r"\.|::", chain)
        # `import a.b` binds both.
        facts = self.facts(path)
        for one in facts.imports if facts else ():
            if one.alias and "." in one.alias and chain.startswith(f"{one.alias}."):
                symbol = self.target(path, one)
                return self._inner(symbol, chain[len(one.alias) + 1 :].split("."))
        return self._inner(self.top(path, head), rest)

    def type_of(self, symbol: Symbol, hops: int = HOPS) -> Symbol | None:
        """The class of a value, or of what a function returns; a class is its own."""
        if symbol.number < 0 or not hops:
            return None
        one = self.definition(symbol)
        if one.kind in CLASSES:
            return symbol
        said = one.type or self._assigned_parameter(symbol, one)
        return self.class_of(symbol.path, said, symbol, hops)

    def class_of(
        self, path: str, said: str, inside: Symbol | None = None, hops: int = HOPS
    ) -> Symbol | None:
        """The class that a type means in a file: "Store | None", "Store()", "self.open()"."""
        for chain in _CHAIN.findall(said.replace('"', "").replace("'", "")):
            called, name = chain.endswith("()"), re.sub(r"\s", "", chain.removesuffix("()"))
            if _HOLDER.fullmatch(name.removeprefix("typing.").removeprefix("t.")):
                continue
            head, _, rest = name.partition(".")
            if name == "Self" and inside:
                symbol = self.owner(inside)
            elif head in ("self", "this", "cls") and inside:
                owner = self.owner(inside)
                symbol = self._inner(owner, rest.split(".")) if owner and rest else owner
            else:
                symbol = self.meaning(path, name)
            if symbol is None or symbol.number < 0:
                return None
            # Of a variable, what calling it gives is unknown.
            if not called and self.definition(symbol).kind not in CLASSES:
                return None
            return self.type_of(symbol, hops - 1)
        return None

    def owner(self, symbol: Symbol) -> Symbol | None:
        """The class around a definition, or itself."""
        number = symbol.number
        facts = self.facts(symbol.path)
        while facts and number >= 0:
            if facts.definitions[number].kind in CLASSES:
                return Symbol(symbol.path, number)
            number = facts.definitions[number].parent
        return None

    def members(self, symbol: Symbol, hops: int = HOPS) -> dict[str, Symbol]:
        """What is found behind a dot: of a class and its bases, or of a module."""
        if symbol in self._members:
            return self._members[symbol]
        facts = self.facts(symbol.path)
        found: dict[str, Symbol] = {}
        for number, one in enumerate(facts.definitions if facts else ()):
            if one.parent == symbol.number:
                found.setdefault(one.name, Symbol(symbol.path, number))
        if symbol.number < 0 and facts and facts.language in PACKAGES:
            for file in self.inside(symbol.path.rpartition("/")[0])[:FILES]:
                for name, number in self.tops(file).items():
                    found.setdefault(name, Symbol(file, number))
        if symbol.number >= 0 and hops:
            self._members[symbol] = found  # A class may derive from itself, by mistake.
            for base in filter(None, self.definition(symbol).bases.split(", ")):
                above = self.meaning(symbol.path, base)
                if above and above.number >= 0 and above != symbol:
                    for name, member in self.members(above, hops - 1).items():
                        found.setdefault(name, member)
        self._members[symbol] = found
        return found

    def _inner(self, symbol: Symbol | None, names: Sequence[str]) -> Symbol | None:
        for name in names:
            if symbol is None:
                return None
            if symbol.number < 0:
                symbol = self.top(symbol.path, name)
                continue
            holder = self.type_of(symbol)
            symbol = self.members(holder).get(name) if holder else None
        return symbol

    def _default(self, path: str, hops: int) -> Symbol | None:
        facts = self.facts(path)
        for number, one in enumerate(facts.definitions if facts else ()):
            if one.signature.startswith("export default "):
                return Symbol(path, number)
        return self.top(path, "default", hops)

    def _assigned_parameter(self, symbol: Symbol, one: Definition) -> str:
        """The type of `self.store = store`, which the constructor's parameter tells."""
        facts = self.facts(symbol.path)
        given = re.fullmatch(r"(?:self|this)\.\w+ = (\w+)", one.signature)
        if not given or not facts:
            return ""
        for other in facts.definitions:
            if other.parent == one.parent and other.start < one.start < other.end:
                return parameter_type(other.signature, given[1])
        return ""


def parameter_type(signature: str, name: str) -> str:
    """How a signature annotates a parameter, "" where it does not."""
    said = re.search(rf"[(,]\s*(?:\w+\s+)*\*?{re.escape(name)}\??\s*:\s*([^,=)]+)", signature)
    return said[1].strip() if said else ""
