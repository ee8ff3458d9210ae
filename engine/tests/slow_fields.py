"""Finds the fields of a schema that generated code cannot call directly."""

from graphql import GraphQLSchema, is_introspection_type, is_object_type
from graphql_compiled.adapter import adapter_of
from graphql_compiled.plan import CollectedField


def slow_fields(schema: GraphQLSchema) -> set[str]:
    """The schema coordinates of fields that are called through `resolve`, or whose arguments Strawberry converts."""
    adapter, found = adapter_of(schema), set()
    for type_ in schema.type_map.values():
        if is_object_type(type_) and not is_introspection_type(type_):
            for name, definition in type_.fields.items():
                access = adapter.field_access(CollectedField(type_, definition, []), None)
                if access.kind == "resolve" or (access.convert is not None and not access.convert_ignores_info):
                    found.add(f"{type_.name}.{name}")
    return found
