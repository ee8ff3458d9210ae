"""All knowledge of Strawberry's internals: how its resolvers, arguments, enums and info objects work inside.

Strawberry wraps every resolver. Where the wrapper has no visible effect (no extensions, no permissions, no exception
handlers), generated code reads the attribute or calls the resolver's function itself. Whatever this module does not
recognise is called through Strawberry's own `resolve`, so a change in Strawberry costs speed and never a right answer;
tests fail when a field loses its fast access.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from dataclasses import MISSING
from functools import cache
from itertools import pairwise
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLOutputType
from strawberry import Some
from strawberry.execution import optimized_is_awaitable
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.info import Info
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

from graphql_compiled.adapter import SchemaAdapter
from graphql_compiled.field_access import FieldAccess, ignores_info
from graphql_compiled.graphql_core_executor import compiled_executor
from graphql_compiled.plan import CollectedField, PlanNode
from graphql_compiled.resolve_info import resolve_info
from graphql_compiled.response_path import ListPath
from graphql_compiled.runtime import ExecutionState
from graphql_compiled.scalars import LeafSerializer

DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF
CONVERTER_MODULE = GraphQLCoreConverter.__module__
FROM_RESOLVER = "GraphQLCoreConverter.from_resolver.<locals>."
FROM_FIELD_LAMBDA = "GraphQLCoreConverter.from_field.<locals>.<lambda>"
IS_TYPE_OF = "_get_is_type_of.<locals>.is_type_of"

Converter = Callable[[Any], Any]


class StrawberryAdapter(SchemaAdapter):
    """Knowledge about the schemas that Strawberry builds."""

    awaitable_checks = (*SchemaAdapter.awaitable_checks, optimized_is_awaitable)

    def field_access(self, field: CollectedField, field_resolver: Callable[..., Any] | None) -> FieldAccess:
        definition = field.definition
        if _is_from_converter(definition.resolve, FROM_FIELD_LAMBDA):  # a subscription's: its event is the value
            return FieldAccess("source")
        strawberry_field = definition.extensions.get(DEFINITION)
        access = None
        if isinstance(strawberry_field, StrawberryField):
            access = _field_access(strawberry_field, definition)
        return access or super().field_access(field, field_resolver)

    def leaf_serializer(self, type_: GraphQLOutputType) -> LeafSerializer:
        return _enum_serializer(type_) if type(type_) is CustomGraphQLEnumType else super().leaf_serializer(type_)

    def type_check_info(self, type_: Any, function: Callable[..., Any] | None) -> Callable[..., Any] | None:
        module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
        if (module == CONVERTER_MODULE and name.endswith(IS_TYPE_OF)) or ignores_info(function):
            return None
        return LazyResolveInfo if DEFINITION in type_.extensions else resolve_info


def executor_class(base: type[Any]) -> type[Any]:
    """An executor class that runs compiled code, for a schema whose `execution_context_class` is `base`."""
    return compiled_executor(base, StrawberryGraphQLCoreExecutionContext)


# ---------------------------------------------------------------- fields


def _field_access(field: StrawberryField, definition: GraphQLField) -> FieldAccess | None:
    resolve = definition.resolve
    if type(field).get_result is not StrawberryField.get_result:
        return None
    if _is_from_converter(resolve, FROM_RESOLVER + "_get_basic_result"):
        if _closure(resolve).get("field") is not field:
            return None
        if field.default_resolver is getattr:
            return FieldAccess("attribute", field.python_name)
        return FieldAccess("getter", field.python_name, field.default_resolver)
    if not any(_is_from_converter(resolve, FROM_RESOLVER + name) for name in ("_resolver", "_async_resolver")):
        return None
    closure = _closure(resolve)
    info_closure = _closure(closure.get("_strawberry_info_from_graphql"))
    has_handlers = closure.get("field_exception_handlers", True)
    if has_handlers or info_closure.get("field") is not field or field.extensions:
        return None
    return _call_access(field, info_closure["self"])


def _call_access(field: StrawberryField, converter: Any) -> FieldAccess | None:
    resolver = field.base_resolver
    if type(resolver) is not StrawberryResolver or not callable(resolver.wrapped_func):
        return None
    source = resolver.parent_parameter or resolver.root_parameter
    if source and resolver.self_parameter:
        return None
    if (source or resolver.self_parameter) and _returns_its_parameter(resolver.wrapped_func):
        return FieldAccess("source")
    fast_convert = InputConversion(converter).of_arguments(field.arguments)

    def convert(values: dict[str, Any], info: Any) -> dict[str, Any]:
        if fast_convert is not None:
            return fast_convert(values)
        return convert_arguments(values, field.arguments, converter.scalar_registry, converter.config, info)

    info_class = converter.config.info_class
    return FieldAccess(
        "call",
        function=resolver.wrapped_func,
        source_parameter=source.name if source else "" if resolver.self_parameter else None,
        info_parameter=_info_parameter(resolver),
        reads_only_context=info_class.context is Info.context and _reads_only_context(resolver),
        make_info=compiled_info(info_class),
        convert=convert,
        convert_ignores_info=fast_convert is not None,
        passthrough={
            converter.config.name_converter.from_argument(argument): argument.python_name
            for argument in field.arguments
            if _needs_no_conversion(argument.type, converter)
        },
    )


def _info_parameter(resolver: StrawberryResolver[Any]) -> str | None:
    info = resolver.info_parameter
    if info is None:
        return None
    function: Any = resolver.wrapped_func
    is_unwrapped = inspect.isfunction(function) and not hasattr(function, "__wrapped__")
    is_second = is_unwrapped and resolver.self_parameter and function.__code__.co_varnames[1:2] == (info.name,)
    return "" if is_second and function.__code__.co_argcount > 1 else info.name


def _reads_only_context(resolver: StrawberryResolver[Any]) -> bool:
    function: Any = resolver.wrapped_func
    if resolver.info_parameter is None or not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        return False
    name = resolver.info_parameter.name
    instructions = list(dis.get_instructions(function))
    return name not in function.__code__.co_cellvars and all(
        instruction.opname.startswith("LOAD_FAST")
        and instruction.argval == name
        and (following.opname, following.argval) == ("LOAD_ATTR", "context")
        for instruction, following in pairwise(instructions)
        if instruction.argval == name or (isinstance(instruction.argval, tuple) and name in instruction.argval)
    )


def _returns_its_parameter(function: Any) -> bool:
    """True for a function of one parameter that does nothing but return it."""
    if not inspect.isfunction(function) or hasattr(function, "__wrapped__") or function.__code__.co_argcount != 1:
        return False
    code, name = dis.get_instructions(function), function.__code__.co_varnames[0]
    done = [(one.opname[:9], one.argval) for one in code if one.opname not in ("RESUME", "NOP")]
    return done == [("LOAD_FAST", name), ("RETURN_VA", None)]


def _is_from_converter(function: Any, qualified_name: str) -> bool:
    return (
        inspect.isfunction(function)
        and function.__module__ == CONVERTER_MODULE
        and function.__qualname__ == qualified_name
    )


def _closure(function: Any) -> dict[str, Any]:
    if not inspect.isfunction(function):
        return {}
    cells = (cell.cell_contents for cell in function.__closure__ or ())
    return dict(zip(function.__code__.co_freevars, cells, strict=True))


def _enum_serializer(type_: CustomGraphQLEnumType) -> LeafSerializer:
    names = {value: name for value, name in type_._value_lookup.items() if type(value) is str}
    members: list[Any] = list(type_.wrapped_cls)
    for member in members:
        try:
            names[member] = type_.coerce_output_value(member)
        except Exception:  # noqa: S112  (a member that the schema lacks: an error only where it occurs)
            continue
    return LeafSerializer(names=names, value_types=(str, type_.wrapped_cls))


# ---------------------------------------------------------------- arguments


def _needs_no_conversion(type_: Any, converter: Any) -> bool:
    """True if Strawberry passes values of this type on as graphql-core coerced them."""
    if type(type_) is StrawberryOptional:
        type_ = type_.of_type
    if type_ is GlobalID:
        return False
    return isinstance(type_, StrawberryEnumDefinition) or is_scalar(type_, converter.scalar_registry)


class UnknownConversion(Exception):
    """Only Strawberry itself can convert values of this type."""


class InputConversion:
    """Strawberry's conversion of coerced argument values, decided once per type and not once per call.

    A converter of None means that values need no conversion.
    """

    def __init__(self, converter: Any) -> None:
        self.scalar_registry, self.name_converter = converter.scalar_registry, converter.config.name_converter
        self.objects: dict[Any, Converter] = {}

    def of_arguments(self, arguments: list[StrawberryArgument]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What `convert_arguments` does with coerced values; None if only Strawberry can do it."""
        try:
            table = [(self.name_converter.from_argument(one), one.python_name, self.of(one.type)) for one in arguments]
        except UnknownConversion:
            return None
        return lambda values: _convert_all(values, table, {})

    def of(self, type_: Any) -> Converter | None:
        if isinstance(type_, StrawberryMaybe):
            return self.of_maybe(type_)
        if isinstance(type_, StrawberryOptional):
            return self.of(type_.of_type)
        if isinstance(type_, StrawberryList):
            return _list_converter(self.of(type_.of_type))
        if type_ is GlobalID:
            raise UnknownConversion
        if isinstance(type_, StrawberryEnumDefinition) or is_scalar(type_, self.scalar_registry):
            return None
        if isinstance(type_, LazyType):
            return self.of(type_.resolve_type())
        return None if has_enum_definition(type_) else self.of_object(type_)

    def of_maybe(self, type_: StrawberryMaybe) -> Converter:
        if not isinstance(type_.of_type, StrawberryOptional):
            raise UnknownConversion  # Strawberry refuses null with an error of its own
        convert = self.of(type_.of_type)
        return Some if convert is None else lambda value: Some(convert(value))

    def of_object(self, type_: Any) -> Converter:
        if type_ in self.objects:
            return self.objects[type_]
        definition = type_.__strawberry_definition__ if has_object_definition(type_) else None
        if definition is None or definition.from_input is not None or not definition.is_input:
            raise UnknownConversion
        table: list[tuple[str, str, Converter | None]] = []
        unset = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }

        def make(value: Any) -> Any:
            return value if value is None or value is UNSET else type_(**_convert_all(value, table, unset))

        self.objects[type_] = make  # before its fields, which may be of this type again
        for field in definition.fields:
            convert = self.of(field.resolve_type(type_definition=definition))
            table.append((self.name_converter.from_field(field), field.python_name, convert))
        return make


def _convert_all(
    values: dict[str, Any], table: list[tuple[str, str, Converter | None]], unset: dict[str, None]
) -> dict[str, Any]:
    """The provided values by Python name, converted, over those in `unset`."""
    found: dict[str, Any] = unset.copy()
    for name, parameter, convert in table:
        if name in values:
            found[parameter] = values[name] if convert is None else convert(values[name])
    return found


def _list_converter(convert: Converter | None) -> Converter:
    """Makes a new list each time, because graphql-core returns the same default list for every request."""

    def make(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return list(value) if convert is None else [convert(item) for item in value]

    return make


# ---------------------------------------------------------------- info


class LazyResolveInfo:
    """Stands for a ResolveInfo, which is built when one of its attributes is read."""

    __slots__ = ("_info", "_node", "_path", "_state")

    def __init__(self, state: ExecutionState, node: PlanNode, path: ListPath) -> None:
        self._state = state
        self._node = node
        self._path = path

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._node.field.nodes

    def __getattr__(self, name: str) -> Any:
        if name == "_info":
            self._info = resolve_info(self._state, self._node, self._path)
            return self._info
        return getattr(self._info, name)


@cache
def compiled_info(base: type[Info]) -> Callable[[ExecutionState, PlanNode, ListPath], Info]:
    """A subclass of the schema's Info class that costs three assignments until it is read.

    A class with a constructor of its own is called as Strawberry calls it.
    """
    if base.__init__ is not Info.__init__:

        def make(state: ExecutionState, node: PlanNode, path: ListPath) -> Info:
            return base(_raw_info=resolve_info(state, node, path), _field=_strawberry_field(node))

        return make

    class CompiledInfo(base):  # type: ignore[valid-type, misc]
        def __init__(self, state: ExecutionState, node: PlanNode, path: ListPath) -> None:
            self._state = state
            self._node = node
            self._path = path

        @property
        def _raw_info(self) -> LazyResolveInfo:
            known = self.__dict__.get("raw_info")
            if known is None:
                known = self.__dict__["raw_info"] = LazyResolveInfo(self._state, self._node, self._path)
            return known

        @property
        def _field(self) -> Any:
            return _strawberry_field(self._node)

    if base.context is Info.context:
        CompiledInfo.context = property(lambda self: self._state.context)
    CompiledInfo.__name__ = base.__name__
    CompiledInfo.__qualname__ = base.__qualname__
    return CompiledInfo


def _strawberry_field(node: PlanNode) -> Any:
    return node.field.definition.extensions[DEFINITION]
