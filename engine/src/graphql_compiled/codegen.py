"""Turn a plan into Python source, and the source into functions.

One function completes one position; its name ends in the number of the plan's node: `object_7`, `list_7`, and
`abstract_7` where only the value shows the object type. `step_0` fills the root; each root field of a mutation has a
step of its own. `value_7` is a value, `pending_7` its entry in `state.pending`. Documents and schemas enter the source
only as `repr()` of a string or as an identifier; everything else is a constant: `node_7`, `resolve_7`, `arguments_7`.

An `is_type_of` function may have an attribute `accepts`: classes whose direct instances it accepts in any case. The
serializer of a scalar may have an attribute `unchanged`: classes whose direct instances it returns as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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

from graphql_compiled.adapter import SchemaAdapter
from graphql_compiled.arguments import FieldArguments
from graphql_compiled.batch import BatchValue
from graphql_compiled.field_access import FieldAccess, ignores_info
from graphql_compiled.plan import ExecutionPlan, ObjectSelection, PlanNode
from graphql_compiled.resolve_info import resolve_info
from graphql_compiled.runtime import SLOW_PATH_TYPES, SLOW_PATH_TYPES_SYNC, ExecutionState
from graphql_compiled.scalars import leaf_completer

Resolver = Callable[..., Any] | None
FUTURES = {"Future": asyncio.Future, "BatchValue": BatchValue}


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """The root object without values, the steps that fill it, and the fields that the operation selects."""

    empty_data: dict[str, Any]
    steps: list[Callable[[ExecutionState, Any, None, dict[str, Any]], None]]
    selected_fields: frozenset[tuple[str, str]]


def compile_plan(
    plan: ExecutionPlan, adapter: SchemaAdapter, field_resolver: Resolver = None, *, synchronous: bool = False
) -> CompiledPlan:
    source, constants = generate_source(plan, adapter, field_resolver)
    constants["slow_path"] = SLOW_PATH_TYPES_SYNC if synchronous else SLOW_PATH_TYPES
    constants |= {"Future": None, "BatchValue": None} if synchronous else FUTURES
    exec(compile(source, "<compiled operation>", "exec"), constants)  # noqa: S102  (see above)
    steps = [constants[name] for name in constants["STEPS"]]
    return CompiledPlan(constants["EMPTY_DATA"], steps, plan.selected_fields)


def generate_source(
    plan: ExecutionPlan, adapter: SchemaAdapter, field_resolver: Resolver = None
) -> tuple[str, dict[str, Any]]:
    """The source of a plan and the constants that it needs."""
    writer = _SourceWriter(plan, adapter, field_resolver)
    writer.write_operation()
    return "\n".join(writer.lines).lstrip() + "\n", writer.constants


class _SourceWriter:
    def __init__(self, plan: ExecutionPlan, adapter: SchemaAdapter, field_resolver: Resolver) -> None:
        self.plan = plan
        self.adapter = adapter
        self.field_resolver = field_resolver
        self.lines: list[str] = []
        self.depth = 0
        self.constants: dict[str, Any] = {
            "INFINITY": float("inf"),
            "Undefined": Undefined,
            "resolve_info": resolve_info,
        }

    # ------------------------------------------------------------ lines

    def write(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.write(head)
        self.depth += 1
        yield
        self.depth -= 1

    def function(self, signature: str) -> AbstractContextManager[None]:
        self.write("", "")
        return self.block(f"def {signature}:")

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = value
        return name

    def node(self, node: PlanNode) -> str:
        return self.constant(f"node_{node.number}", node)

    # ------------------------------------------------------------ the operation

    def write_operation(self) -> None:
        root = self.plan.root
        groups = [[node] for node in root.fields] if self.plan.operation.is_serial else [root.fields]
        for index, fields in enumerate(groups):
            with self.function(f"step_{index}(state, source, path, target)"):
                self.write_fields(fields)
                for node in fields:
                    if not _is_typename(node):
                        self.write(f"target[{node.key!r}] = value_{node.number}")
                self.write_attachment(fields)
        for node in root.fields:
            self.write_completer(node)
        self.constants["STEPS"] = [f"step_{index}" for index in range(len(groups))]
        self.constants["EMPTY_DATA"] = {
            node.key: root.type.name if _is_typename(node) else None for node in root.fields
        }

    def write_completer(self, node: PlanNode) -> None:
        """Write the function that completes values of this node, and the functions that it calls."""
        type_ = node.type
        if is_list_type(type_):
            self.write_list(node)
        elif is_object_type(type_):
            self.write_object(node, f"object_{node.number}", node.selections[type_.name])
        elif is_abstract_type(type_):
            self.write_abstract(node, type_)

    def completer(self, node: PlanNode) -> str:
        """The name of that function. The completer of a leaf is a constant."""
        if is_leaf_type(node.type):
            return self.constant(f"leaf_{node.number}", leaf_completer(node.type))
        kind = "list" if is_list_type(node.type) else "object" if is_object_type(node.type) else "abstract"
        return f"{kind}_{node.number}"

    # ------------------------------------------------------------ objects

    def write_object(self, node: PlanNode, name: str, selection: ObjectSelection) -> None:
        is_guarded = selection.type.is_type_of
        with self.function(f"{name}(state, source, path{', accepted=Undefined' if is_guarded else ''})"):
            self.write(f"# {_readable_path(node)}: {selection.type.name!r}")
            if is_guarded:
                self.write_type_check(node, name, selection.type)
            self.write_fields(selection.fields)
            with self.block("target = {"):
                self.write(*(f"{field.key!r}: {_result(field)}," for field in selection.fields))
            self.write("}")
            self.write_attachment(selection.fields)
            self.write("return target")
        for field in selection.fields:
            self.write_completer(field)

    def write_type_check(self, node: PlanNode, name: str, type_: GraphQLObjectType) -> None:
        number = name.removeprefix("object_")
        is_type_of = self.constant(f"is_type_of_{number}", type_.is_type_of)
        accepts = self.constant(f"accepts_{number}", getattr(type_.is_type_of, "accepts", ()))
        info = self.type_check_info(node, number, type_, type_.is_type_of)
        with self.block("if accepted is Undefined:"):
            self.write(f"accepted = type(source) in {accepts} or {is_type_of}(source, {info})")
        with self.block("if accepted is not True:"):
            with self.block("if slow_path[type(accepted)] and state.is_awaitable(accepted):"):
                self.write(f"return state.complete_after(accepted, {self.node(node)}, {name}, source, path)")
            with self.block("if not accepted:"):
                object_type = self.constant(f"type_{number}", type_)
                self.write(f"raise state.invalid_type_error({object_type}, source, {self.node(node)})")

    def write_abstract(self, node: PlanNode, type_: GraphQLAbstractType) -> None:
        number, the_node = node.number, self.node(node)
        names = {name: f"object_{number}_{index}" for index, name in enumerate(node.selections)}
        for name, function in names.items():
            self.write_object(node, function, node.selections[name])
        resolve_type = f"resolve_type_{number}" if type_.resolve_type else "state.type_resolver"
        self.constants[f"resolve_type_{number}"] = type_.resolve_type
        info = self.type_check_info(node, f"{number}", type_, type_.resolve_type)
        with self.function(f"abstract_{number}(state, source, path, name=Undefined)"):
            self.write(f"# {_readable_path(node)}")
            with self.block("if name is Undefined:"):
                self.write(f"name = {resolve_type}(source, {info}, {self.constant(f'type_{number}', type_)})")
                with self.block("if slow_path[type(name)] and state.is_awaitable(name):"):
                    self.write(f"return state.complete_after(name, {the_node}, abstract_{number}, source, path)")
            self.write(f"complete = completers_{number}.get(name) if type(name) is str else None")
            with self.block("if complete is None:"):
                self.write(f"complete = state.completer_of_type({the_node}, completers_{number}, name, source)")
            self.write("return complete(state, source, path)")
        completers = ", ".join(f"{name!r}: {function}" for name, function in names.items())
        self.write("", "", f"completers_{number} = {{{completers}}}")

    def type_check_info(self, node: PlanNode, number: str, type_: Any, function: Any) -> str:
        """The expression for the info that `is_type_of` and `resolve_type` receive."""
        make_info = self.adapter.type_check_info(type_, function)
        if make_info is None:
            return "None"
        return f"{self.constant(f'type_info_{number}', make_info)}(state, {self.node(node)}, path)"

    # ------------------------------------------------------------ fields

    def write_fields(self, fields: list[PlanNode]) -> None:
        """Complete each field into `value_N`; pending ones are left in `pending_N` or `unattached`."""
        pending = [f"pending_{node.number} = " for node in fields if not is_leaf_type(node.type)]
        self.write("".join([*pending, "unattached = ()"]))
        for node in fields:
            if _is_typename(node):
                continue
            value = f"value_{node.number}"
            node.same_everywhere = self.is_same_everywhere(node)
            with self.block("try:"):
                self.write(f"{value} = {self.resolved_value(node)}")
                self.write_completion(node, value, f"None, {node.key!r}", "path")
            with self.block("except Exception as error:"):
                self.write(f"{value} = state.handle_field_error({self.node(node)}, path, error)")

    def write_attachment(self, fields: list[PlanNode]) -> None:
        """Give pending values their target, now that it exists."""
        for node in fields:
            if not is_leaf_type(node.type):
                with self.block(f"if pending_{node.number}:"):
                    self.write(f"pending_{node.number}[1] = target")
        with self.block("if unattached:"), self.block("for pending in unattached:"):
            self.write("pending[1] = target")

    def write_completion(self, node: PlanNode, value: str, position: str, path: str) -> None:
        """Turn a resolved value into its response value: the common cases here, all others on the slow path."""
        completer = self.completer(node)
        pending = f"[{value}, {position}, {self.node(node)}, {completer}, {path}]"
        slow_path = f"{value}, unattached = state.complete_slow_path({pending}, unattached)"
        if is_leaf_type(node.type):
            self.write_leaf(node, value, slow_path)
            return
        accepts = getattr(getattr(node.type, "is_type_of", None), "accepts", ())
        if accepts:
            with self.block(f"if type({value}) in {self.constant(f'accepts_{node.number}', accepts)}:"):
                self.write(f"{value} = {completer}(state, {value}, {path}, True)")
        with self.block(f"{'elif' if accepts else 'if'} type({value}) is BatchValue or type({value}) is Future:"):
            if position.startswith("None"):
                name = f"pending_{node.number}"
                self.write(f"{name} = {pending}", f"state.add_pending({name})", f"{value} = None")
            else:
                self.write(f"state.add_pending({pending})", f"{value} = None")
        with self.block(f"elif {value} is not None and not slow_path[type({value})]:"):
            self.write(f"{value} = {completer}(state, {value}, {path})")
        with self.block("else:" if node.non_null else f"elif {value} is not None:"):
            self.write(slow_path)

    def is_same_everywhere(self, node: PlanNode) -> bool:
        """True if no function below this position receives its path."""
        if is_leaf_type(node.type) or node.item is not None:
            return node.item is None or self.is_same_everywhere(node.item)
        if self.type_check_reads_path(node.type, getattr(node.type, "resolve_type", None)):
            return False
        return not any(
            self.type_check_reads_path(selection.type, selection.type.is_type_of)
            or any(self.reads_path(field) or not self.is_same_everywhere(field) for field in selection.fields)
            for selection in node.selections.values()
        )

    def type_check_reads_path(self, type_: Any, function: Any) -> bool:
        return function is not None and self.adapter.type_check_info(type_, function) is not None

    def reads_path(self, node: PlanNode) -> bool:
        """True if the resolver or the arguments of a field receive more of its info object than the context."""
        if _is_typename(node):
            return False
        access = self.adapter.field_access(node.field, self.field_resolver)
        if access.kind == "resolve":
            return not ignores_info(access.function)
        if access.info_parameter is not None and not access.reads_only_context:
            return True
        if access.make_info is None or access.convert_ignores_info or not node.field.definition.args:
            return False
        return FieldArguments(node.field, access).constant_values is None

    def write_leaf(self, node: PlanNode, value: str, slow_path: str) -> None:
        serializer, number = self.adapter.leaf_serializer(node.type), node.number
        if serializer.identity_test:
            present = "" if node.non_null else f" and {value} is not None"
            with self.block(f"if not ({serializer.identity_test.format(value=value)}){present}:"):
                self.write(slow_path)
            return
        if serializer.value_types:
            names = self.constant(f"names_{number}", serializer.names)
            types = enumerate(serializer.value_types)
            is_known = " or ".join(
                f"type({value}) is {self.constant(f'value_type_{number}_{index}', type_)}" for index, type_ in types
            )
            test = f"({is_known}) and (serialized := {names}.get({value})) is not None"
        else:
            serialize = self.constant(f"serialize_{number}", serializer.function)
            is_common = f"{value} is not None and not slow_path[type({value})]"
            test = f"{is_common} and (serialized := {serialize}({value})) is not None and serialized is not Undefined"
        unchanged = self.constant(f"unchanged_{number}", serializer.unchanged) if serializer.unchanged else ""
        with self.block(f"if type({value}) not in {unchanged}:") if unchanged else nullcontext():
            with self.block(f"if {test}:"):
                self.write(f"{value} = serialized")
            with self.block("else:" if node.non_null else f"elif {value} is not None:"):
                self.write(slow_path)

    def resolved_value(self, node: PlanNode) -> str:
        """The expression that resolves a field of `source`."""
        access = self.adapter.field_access(node.field, self.field_resolver)
        if access.kind == "source":
            return "source"
        if access.kind == "attribute" and access.name.isidentifier() and not iskeyword(access.name):
            return f"source.{access.name}"
        if access.kind == "attribute":
            return f"getattr(source, {access.name!r})"
        function = self.constant(f"resolve_{node.number}", access.function)
        if access.kind == "getter":
            return f"{function}(source, {access.name!r})"
        return f"{function}({', '.join(self.call_arguments(node, access))})"

    def call_arguments(self, node: PlanNode, access: FieldAccess) -> Iterator[str]:
        number, the_node = node.number, self.node(node)
        if access.kind == "resolve":
            yield f"source, resolve_info(state, {the_node}, path)"
        elif access.source_parameter is not None:
            yield f"{access.source_parameter}=source" if access.source_parameter else "source"
        if access.info_parameter is not None:
            make_info = self.constant(f"info_{number}", access.make_info)
            keyword = f"{access.info_parameter}=" if access.info_parameter else ""
            # The state has the attribute `context` too: a function that reads nothing else is called with it.
            yield keyword + ("state" if access.reads_only_context else f"{make_info}(state, {the_node}, path)")
        if node.field.definition.args:
            arguments = FieldArguments(node.field, access)
            name, constants = f"arguments_{number}", arguments.constant_values
            if constants is None:
                yield f"**state.argument_values({self.constant(name, arguments)}, {the_node}, path)"
            elif constants:
                yield f"**{self.constant(name, constants)}"

    # ------------------------------------------------------------ lists

    def write_list(self, node: PlanNode) -> None:
        item = node.item
        assert item is not None
        keys = self.constant(f"keys_{node.number}", node.keys)
        with self.function(f"list_{node.number}(state, value, path)"):
            self.write(f"# {_readable_path(node)}[]")
            with self.block("if type(value) is list or type(value) is tuple:"):
                self.write("iterator = iter(value)")
            with self.block("else:"):
                self.write(f"iterator = state.iterate(value, {self.node(node)}, path, {self.completer(item)})")
                with self.block("if type(iterator) is list:"):
                    self.write("return iterator")
            self.write("target, unattached = [], ()")
            with self.block("try:"), self.block("for index, value in enumerate(iterator):"):
                path = f"(path, {keys}, index)"
                with self.block("try:"):
                    self.write_completion(item, "value", "target, index", path)
                with self.block("except Exception as error:"):
                    self.write(f"value = state.handle_field_error({self.node(item)}, {path}, error)")
                self.write("target.append(value)")
            with self.block("except Exception:"):
                self.write("state.track_remaining(iterator)", "raise")
            self.write("return target")
        self.write_completer(item)


def _is_typename(node: PlanNode) -> bool:
    return node.field.definition is TypeNameMetaFieldDef


def _result(node: PlanNode) -> str:
    return repr(node.field.parent_type.name) if _is_typename(node) else f"value_{node.number}"


def _readable_path(node: PlanNode) -> str:
    keys = [repr(one.key)[1:-1] if one.key is not None else "[]" for one in node.ancestry()]
    return ".".join(reversed(keys)).replace(".[]", "[]")
