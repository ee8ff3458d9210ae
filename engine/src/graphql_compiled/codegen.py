"""Turn a plan into Python source, and the source into functions.

One function makes one object (`o7`), list (`l7`) or object of a type only known by then (`a7`); the number is
the slot's. `step0` fills the root; in a mutation every field has a step of its own. Nothing from the document
or the schema enters the source but as `repr()` of a string or as an identifier; all else is handed over as
constants: S slot, K keys, F finishing function of a leaf, R resolver, A arguments. An `is_type_of` may have an
attribute `accepts`: the classes whose own instances it accepts without being asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLObjectType,
    TypeNameMetaFieldDef,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from graphql.pyutils import Undefined

from graphql_compiled.arguments import Arguments
from graphql_compiled.field_access import CONVERTER, STRAWBERRY, Access, access, ignores_info
from graphql_compiled.plan import Plan, Selection, Slot
from graphql_compiled.resolve_info import LazyInfo, resolve_info, strawberry_info
from graphql_compiled.runtime import SPECIAL, SPECIAL_SYNC, Run
from graphql_compiled.scalars import leaf, serialiser

Resolver = Callable[..., Any] | None


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled plan: the root's keys with nothing in them, the steps that fill it, what it selects."""

    empty: dict[str, Any]
    steps: list[Callable[[Run, Any, None, dict[str, Any]], None]]
    selected: frozenset[tuple[str, str]]


def build(plan: Plan, field_resolver: Resolver = None, *, synchronous: bool = False) -> Code:
    source, constants = generate(plan, field_resolver)
    constants["special"] = SPECIAL_SYNC if synchronous else SPECIAL
    constants["Future"] = None if synchronous else asyncio.Future
    exec(compile(source, "<compiled operation>", "exec"), constants)  # noqa: S102  (see above)
    return Code(constants["EMPTY"], [constants[name] for name in constants["STEPS"]], plan.selected)


def generate(plan: Plan, field_resolver: Resolver = None) -> tuple[str, dict[str, Any]]:
    """The source of a plan and the constants it needs."""
    writer = _Writer(plan, field_resolver)
    writer.operation()
    return "\n".join(writer.lines).lstrip() + "\n", writer.constants


class _Writer:
    def __init__(self, plan: Plan, field_resolver: Resolver) -> None:
        self.plan = plan
        self.field_resolver = field_resolver
        self.lines: list[str] = []
        self.depth = 0
        self.constants: dict[str, Any] = {
            "INFINITY": float("inf"),
            "LazyInfo": LazyInfo,
            "Undefined": Undefined,
            "resolve_info": resolve_info,
        }

    # ------------------------------------------------------------ writing

    def write(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.write(head)
        self.depth += 1
        yield
        self.depth -= 1

    def function(self, head: str) -> AbstractContextManager[None]:
        self.write("", "")
        return self.block(f"def {head}:")

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = value
        return name

    # ------------------------------------------------------------ the operation

    def operation(self) -> None:
        root = self.plan.root
        groups = [[slot] for slot in root.slots] if self.plan.operation.serial else [root.slots]
        for index, slots in enumerate(groups):
            with self.function(f"step{index}(run, source, path, out)"):
                self.fields(slots)
                self.write(*(f"out[{slot.key!r}] = v{slot.number}" for slot in slots if not is_typename(slot)))
                self.adopt(slots)
        for slot in root.slots:
            self.completion(slot)
        self.constants["STEPS"] = [f"step{index}" for index in range(len(groups))]
        self.constants["EMPTY"] = {slot.key: root.type.name if is_typename(slot) else None for slot in root.slots}

    def completion(self, slot: Slot) -> None:
        """The function that completes values of this slot, and those it needs."""
        type_ = slot.type
        if is_list_type(type_):
            self.list(slot)
        elif is_object_type(type_):
            self.object(slot, f"o{slot.number}", slot.choices[type_.name])
        elif is_abstract_type(type_):
            self.abstract(slot, type_)

    def finish(self, slot: Slot) -> str:
        """The name of that function. Leaves have one that depends on nothing of the run."""
        if is_leaf_type(slot.type):
            return self.constant(f"F{slot.number}", serialiser(slot.type))
        letter = "l" if is_list_type(slot.type) else "o" if is_object_type(slot.type) else "a"
        return f"{letter}{slot.number}"

    def slot(self, slot: Slot) -> str:
        return self.constant(f"S{slot.number}", slot)

    # ------------------------------------------------------------ objects

    def object(self, slot: Slot, name: str, selection: Selection) -> None:
        guard = selection.type.is_type_of
        with self.function(f"{name}(run, source, path{', known=Undefined' if guard else ''})"):
            self.write(f"# {self.where(slot)}: {selection.type.name!r}")
            if guard:
                self.guard(slot, name, selection.type)
            self.fields(selection.slots)
            with self.block("out = {"):
                self.write(*(f"{slot.key!r}: {self.result(slot)}," for slot in selection.slots))
            self.write("}")
            self.adopt(selection.slots)
            self.write("return out")
        for child in selection.slots:
            self.completion(child)

    def guard(self, slot: Slot, name: str, type_: GraphQLObjectType) -> None:
        check = self.constant(f"G{name[1:]}", type_.is_type_of)
        the_type = self.constant(f"O{name[1:]}", type_)
        accepted = self.constant(f"T{name[1:]}", getattr(type_.is_type_of, "accepts", ()))
        info = self.type_info(slot, type_, type_.is_type_of, "_get_is_type_of.<locals>.is_type_of")
        with self.block("if known is Undefined:"):
            self.write(f"known = type(source) in {accepted} or {check}(source, {info})")
        with self.block("if known is not True:"):
            with self.block("if special[type(known)] and run.is_awaitable(known):"):
                self.write(f"return run.deferred(known, {self.slot(slot)}, {name}, source, path)")
            with self.block("if not known:"):
                self.write(f"raise run.wrong_type({the_type}, source, {self.slot(slot)})")

    def abstract(self, slot: Slot, type_: GraphQLAbstractType) -> None:
        number, the_slot = slot.number, self.slot(slot)
        names = {name: f"o{number}_{index}" for index, name in enumerate(slot.choices)}
        for name, function in names.items():
            self.object(slot, function, slot.choices[name])
        resolve = f"Q{number}" if type_.resolve_type else "run.type_resolver"
        self.constants[f"Q{number}"] = type_.resolve_type
        info = self.type_info(slot, type_, type_.resolve_type, "_get_resolve_type.<locals>.resolve_type")
        choices = ", ".join(f"{name!r}: {function}" for name, function in names.items())
        with self.function(f"a{number}(run, source, path, name=Undefined)"):
            self.write(f"# {self.where(slot)}")
            with self.block("if name is Undefined:"):
                self.write(f"name = {resolve}(source, {info}, {self.constant(f'U{number}', type_)})")
                with self.block("if special[type(name)] and run.is_awaitable(name):"):
                    self.write(f"return run.deferred(name, {the_slot}, a{number}, source, path)")
            self.write(f"found = d{number}.get(name) if type(name) is str else None")
            with self.block("if found is None:"):
                self.write(f"found = run.pick({the_slot}, d{number}, name, source)")
            self.write("return found(run, source, path)")
        self.write("", "", f"d{number} = {{{choices}}}")

    def type_info(self, slot: Slot, type_: Any, function: Any, own: str) -> str:
        """What `is_type_of` and `resolve_type` get as info: nothing if they are known not to look at it."""
        module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
        if (module == CONVERTER and name.endswith("is_type_of") and name.endswith(own)) or ignores_info(function):
            return "None"
        kind = "LazyInfo" if STRAWBERRY in type_.extensions else "resolve_info"
        return f"{kind}(run, {self.slot(slot)}, path)"

    # ------------------------------------------------------------ fields

    def fields(self, slots: list[Slot]) -> None:
        """Each field's value into `v` and its number; what is awaited into `w` or `late`, for `adopt`."""
        waiting = [f"w{slot.number} = " for slot in slots if not is_leaf_type(slot.type)]
        self.write("".join([*waiting, "late = ()"]))
        for slot in slots:
            if is_typename(slot):
                continue
            value = f"v{slot.number}"
            with self.block("try:"):
                self.write(f"{value} = {self.value(slot)}")
                self.settle(slot, value, f"None, {slot.key!r}", "path")
            with self.block("except Exception as error:"):
                self.write(f"{value} = run.failed({self.slot(slot)}, path, error)")

    def adopt(self, slots: list[Slot]) -> None:
        """Tell what is awaited which object it belongs to, now that there is one."""
        for slot in slots:
            if not is_leaf_type(slot.type):
                with self.block(f"if w{slot.number}:"):
                    self.write(f"w{slot.number}[1] = out")
        with self.block("if late:"), self.block("for waits in late:"):
            self.write("waits[1] = out")

    @staticmethod
    def result(slot: Slot) -> str:
        return repr(slot.field.parent_type.name) if is_typename(slot) else f"v{slot.number}"

    def settle(self, slot: Slot, value: str, place: str, path: str) -> None:
        """Turn a value into its answer: the common cases here, all others by `odd`."""
        the_slot, finish = self.slot(slot), self.finish(slot)
        waits = f"[{value}, {place}, {the_slot}, {finish}, {path}]"
        odd = f"{value}, late = run.odd({waits}, late)"
        if is_leaf_type(slot.type):
            self.leaf(slot, value, odd)
            return
        accepted = getattr(getattr(slot.type, "is_type_of", None), "accepts", ())
        if accepted:
            with self.block(f"if type({value}) in {self.constant(f'T{slot.number}', accepted)}:"):
                self.write(f"{value} = {finish}(run, {value}, {path}, True)")
        with self.block(f"{'elif' if accepted else 'if'} type({value}) is Future:"):
            if place.startswith("None"):
                self.write(f"w{slot.number} = {waits}", f"run.later(w{slot.number})", f"{value} = None")
            else:
                self.write(f"run.later({waits})", f"{value} = None")
        with self.block(f"elif {value} is not None and not special[type({value})]:"):
            self.write(f"{value} = {finish}(run, {value}, {path})")
        with self.block("else:" if slot.required else f"elif {value} is not None:"):
            self.write(odd)

    def leaf(self, slot: Slot, value: str, odd: str) -> None:
        kind, number = leaf(slot.type), slot.number
        present = "" if slot.required else f" and {value} is not None"
        if kind.test:
            with self.block(f"if not ({kind.test.format(value=value)}){present}:"):
                self.write(odd)
            return
        if kind.keys:
            self.constants[f"E{number}"] = kind.table
            known = [self.constant(f"E{number}_{index}", key) for index, key in enumerate(kind.keys)]
            same = " or ".join(f"type({value}) is {name}" for name in known)
            test = f"({same}) and (answer := E{number}.get({value})) is not None"
        else:
            self.constants[f"E{number}"] = kind.function
            ready = f"{value} is not None and not special[type({value})] and (answer := E{number}({value}))"
            test = f"{ready} is not None and answer is not Undefined"
        with self.block(f"if {test}:"):
            self.write(f"{value} = answer")
        with self.block("else:" if slot.required else f"elif {value} is not None:"):
            self.write(odd)

    def value(self, slot: Slot) -> str:
        """The expression that resolves a field of `source`."""
        how = access(slot.field, self.field_resolver)
        if how.kind == "event":
            return "source"
        if how.kind == "attribute" and how.name.isidentifier() and not iskeyword(how.name):
            return f"source.{how.name}"
        if how.kind == "attribute":
            return f"getattr(source, {how.name!r})"
        function = self.constant(f"R{slot.number}", how.function)
        if how.kind == "read":
            return f"{function}(source, {how.name!r})"
        return f"{function}({', '.join(self.passed(slot, how))})"

    def passed(self, slot: Slot, how: Access) -> Iterator[str]:
        if how.kind == "resolve":
            yield f"source, resolve_info(run, {self.slot(slot)}, path)"
        elif how.source_as is not None:
            yield f"{how.source_as}=source" if how.source_as else "source"
        if how.info_as is not None:
            self.constants[f"I{slot.number}"] = strawberry_info(how.info_class)
            keyword = f"{how.info_as}=" if how.info_as else ""
            # Who reads nothing but the context is given the run, which has it too.
            yield keyword + ("run" if how.context_only else f"I{slot.number}(run, {self.slot(slot)}, path)")
        if slot.field.definition.args:
            arguments = Arguments(slot.field, how)
            if arguments.fixed is None:
                self.constants[f"A{slot.number}"] = arguments
                yield f"**run.arguments(A{slot.number}, {self.slot(slot)}, path)"
            elif arguments.fixed:
                yield f"**{self.constant(f'A{slot.number}', arguments.fixed)}"

    # ------------------------------------------------------------ lists

    def list(self, slot: Slot) -> None:
        item = slot.item
        assert item is not None
        keys = self.constant(f"K{slot.number}", slot.keys)
        with self.function(f"l{slot.number}(run, value, path)"):
            self.write(f"# {self.where(slot)}[]")
            with self.block("if type(value) is list or type(value) is tuple:"):
                self.write("iterator = iter(value)")
            with self.block("else:"):
                self.write(f"iterator = run.items(value, {self.slot(slot)}, path, {self.finish(item)})")
                with self.block("if type(iterator) is list:"):
                    self.write("return iterator")
            self.write("out, late = [], ()")
            with self.block("try:"), self.block("for index, value in enumerate(iterator):"):
                path = f"(path, {keys}, index)"
                with self.block("try:"):
                    self.settle(item, "value", "out, index", path)
                with self.block("except Exception as error:"):
                    self.write(f"value = run.failed({self.slot(item)}, {path}, error)")
                self.write("out.append(value)")
            with self.block("except Exception:"):
                self.write("run.drain(iterator)", "raise")
            self.write("return out")
        self.completion(item)

    @staticmethod
    def where(slot: Slot) -> str:
        steps = [repr(one.key)[1:-1] if one.key is not None else "[]" for one in slot.upwards()]
        return ".".join(reversed(steps)).replace(".[]", "[]")


def is_typename(slot: Slot) -> bool:
    return slot.field.definition is TypeNameMetaFieldDef
