"""Names that a piece of code uses and that nothing in its file binds.

Whatever is not clearly a use counts as a binding, half-typed code included: a name is
reported where there is no doubt, and left alone elsewhere.
"""

import builtins
from collections.abc import Iterator
from functools import cache

from tree_sitter import Node, Query, QueryCursor

from .grammars import grammar_of, in_steps, text_of

# Where a name stands that is used: the kind of node around it, and its field there or "*".
_PYTHON = """
    call.function argument_list.* attribute.object keyword_argument.value type.* generic_type.*
    union_type.* type_parameter.* binary_operator.* boolean_operator.* not_operator.*
    unary_operator.* comparison_operator.* conditional_expression.* subscript.* slice.*
    return_statement.* raise_statement.* await.* yield.* decorator.* assignment.right
    augmented_assignment.right list.* set.* tuple.* pair.* expression_list.*
    parenthesized_expression.* default_parameter.value typed_default_parameter.value
    if_statement.condition elif_clause.condition while_statement.condition if_clause.*
    for_statement.right for_in_clause.right with_item.value list_splat.* dictionary_splat.*
    except_clause.* interpolation.expression assert_statement.* lambda.body
    named_expression.value list_comprehension.body generator_expression.body
    set_comprehension.body
"""
_ECMASCRIPT = """
    call_expression.function new_expression.constructor arguments.* member_expression.object
    variable_declarator.value assignment_expression.right augmented_assignment_expression.right
    return_statement.* throw_statement.* binary_expression.* unary_expression.*
    ternary_expression.* spread_element.* array.* pair.value await_expression.*
    yield_expression.* parenthesized_expression.* template_substitution.* arrow_function.body
    subscript_expression.* class_heritage.* extends_clause.value extends_clause.type_arguments
    implements_clause.* extends_type_clause.* type_annotation.* generic_type.name
    type_arguments.* union_type.* intersection_type.* array_type.* as_expression.*
    satisfies_expression.* non_null_expression.* nested_type_identifier.module type_query.*
    tuple_type.* constraint.* default_type.* for_in_statement.right switch_case.value
    jsx_opening_element.name jsx_closing_element.name jsx_self_closing_element.name
    jsx_expression.* object.* sequence_expression.*
"""
# Where a name stands that means something else: a member, the name of an argument.
_MEMBERS = frozenset(("attribute.attribute", "keyword_argument.name"))
_KINDS = {
    "python": ("identifier",),
    "javascript": ("identifier", "shorthand_property_identifier"),
    "typescript": ("identifier", "type_identifier", "shorthand_property_identifier"),
    "tsx": ("identifier", "type_identifier", "shorthand_property_identifier"),
}
_BINDING_KINDS = ("shorthand_property_identifier_pattern",)
# Names that every program has; of browsers and Node, those that code names most.
_WEB = """
    AbortController AbortSignal Array ArrayBuffer BigInt Blob Boolean Buffer CustomEvent
    DataView Date Document DOMParser Element Error Event EventTarget File FileReader FormData
    Function Headers History HTMLElement Image Infinity Intl Iterator JSON Location Map Math
    MessageChannel MutationObserver NaN Node NodeJS Number Object Partial Pick Omit Record
    Required Readonly ReturnType Parameters Exclude Extract NonNullable Awaited Performance
    Promise Proxy RangeError ReadableStream Reflect RegExp Request Response Set
    SharedArrayBuffer Storage String Symbol SyntaxError Text TextDecoder TextEncoder TypeError
    URL URLSearchParams Uint8Array WeakMap WeakRef WeakSet WebSocket Window Worker
    XMLHttpRequest alert arguments atob btoa clearInterval clearTimeout console crypto
    customElements decodeURI decodeURIComponent describe document encodeURI encodeURIComponent
    eval event exports expect fetch global globalThis history indexedDB isFinite isNaN it
    jest localStorage location module name navigator parseFloat parseInt performance process
    queueMicrotask require screen self sessionStorage setImmediate setInterval setTimeout
    status structuredClone test undefined window
"""
_SCRIPT = frozenset(_ECMASCRIPT.split()), frozenset(_WEB.split())
_USES = dict.fromkeys(_KINDS, _SCRIPT[0]) | {"python": frozenset(_PYTHON.split())}
_GIVEN = dict.fromkeys(_KINDS, _SCRIPT[1]) | {"python": frozenset(dir(builtins))}

LANGUAGES = tuple(_KINDS)


def unbound(language: str, text: str, start: int, end: int) -> list[str]:
    """The names that `[start, end)` of `text` uses and that the text binds nowhere, in order.

    Offsets count code points.  Languages that are not in `LANGUAGES` have none.
    """
    if language not in _KINDS:
        return []
    source = text.encode("utf-8", "replace")
    first = len(text[:start].encode("utf-8", "replace"))
    last = first + len(text[start:end].encode("utf-8", "replace"))
    root = in_steps(grammar_of(language).parser, source).root_node
    names: dict[str, None] = {}
    for node in _names(language, root, first, last):
        name = text_of(source, node)
        if name not in _GIVEN[language] and _role(language, source, node) == "use":
            names[name] = None
    # All of the file counts, but of its names only these.
    binding = {
        name
        for node in (_names(language, root, 0, len(source)) if names else ())
        if (name := text_of(source, node)) in names and not _role(language, source, node)
    }
    return [name for name in names if name not in binding]


def _names(language: str, root: Node, start: int, end: int) -> Iterator[Node]:
    cursor = QueryCursor(_query(language))
    cursor.set_byte_range(start, end)
    nodes = [node for _pattern, parts in cursor.matches(root) for node in parts["name"]]
    # Half of a name may have stood there already.
    return (node for node in nodes if start < node.end_byte and node.start_byte < end)


@cache
def _query(language: str) -> Query:
    compiled = grammar_of(language).parser.language
    assert compiled
    known = {compiled.node_kind_for_id(n) for n in range(compiled.node_kind_count)}
    kinds = [kind for kind in (*_KINDS[language], *_BINDING_KINDS) if kind in known]
    return Query(compiled, "\n".join(f"({kind}) @name" for kind in kinds))


def _role(language: str, source: bytes, node: Node) -> str:
    """ "use", "member", or "" for what may bind the name."""
    around = node.parent
    if around is None or node.type in _BINDING_KINDS:
        return ""
    if around.type == "as_pattern":  # The value comes first, then the name it gets.
        return "use" if around.children[0].id == node.id else ""
    number = next((n for n, child in enumerate(around.children) if child.id == node.id), 0)
    place = f"{around.type}.{around.field_name_for_child(number)}"
    if place in _MEMBERS or (around.type.startswith("jsx_") and text_of(source, node).islower()):
        return "member"  # `<div>` is none of ours.
    uses = _USES[language]
    return "use" if place in uses or f"{around.type}.*" in uses else ""
