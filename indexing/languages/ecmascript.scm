; What JavaScript and TypeScript have in common.

(export_statement
  declaration: (_) @target) @whole

(export_statement
  declaration: (_
    .
    (variable_declarator) @target)) @whole

(lexical_declaration
  .
  (variable_declarator) @target) @whole

(class_declaration
  name: (_) @name
  (class_heritage)? @bases
  body: (_) @body) @class

(variable_declarator
  name: (identifier) @name
  value: (class
    (class_heritage)? @bases
    body: (_) @body)) @class

([
  (function_declaration
    name: (_) @name
    body: (_) @body)
  (generator_function_declaration
    name: (_) @name
    body: (_) @body)
]) @function

(variable_declarator
  name: (identifier) @name
  value: (arrow_function
    body: (_) @body)) @function

(variable_declarator
  name: (identifier) @name
  value: (function_expression
    body: (_) @body)) @function

(assignment_expression
  left: (member_expression
    property: (property_identifier) @name)
  right: (function_expression
    body: (_) @body)) @function

(assignment_expression
  left: (member_expression
    property: (property_identifier) @name)
  right: (arrow_function
    body: (_) @body)) @function

(method_definition
  name: (_) @name
  body: (_) @body) @method

(program
  (_
    (variable_declarator
      name: (identifier) @name
      value: (_)? @value) @variable))

(program
  (export_statement
    declaration: (_
      (variable_declarator
        name: (identifier) @name
        value: (_)? @value) @variable)))

(assignment_expression
  left: (member_expression
    object: (this)
    property: (property_identifier) @name)
  right: (_) @value) @field

(import_statement
  .
  source: (_) @module) @import

(import_statement
  (import_clause
    (identifier) @alias)
  source: (_) @module) @import @default

(import_statement
  (import_clause
    (namespace_import
      (identifier) @alias))
  source: (_) @module) @import

(import_statement
  (import_clause
    (named_imports
      (import_specifier
        name: (_) @name
        alias: (_)? @alias)))
  source: (_) @module) @import

(export_statement
  (export_clause
    (export_specifier
      name: (_) @name
      alias: (_)? @alias))
  source: (_)? @module) @import @export

(export_statement
  "*" @name
  .
  "from"
  source: (_) @module) @import @export

(export_statement
  (namespace_export
    (_) @alias)
  source: (_) @module) @import @export

(export_statement
  value: (identifier) @name) @import @export @default

((variable_declarator
  name: (identifier) @alias
  value: (call_expression
    function: (identifier) @called
    arguments: (arguments
      .
      (string) @module))) @import
  (#eq? @called "require"))

((variable_declarator
  name: (object_pattern
    (shorthand_property_identifier_pattern) @name)
  value: (call_expression
    function: (identifier) @called
    arguments: (arguments
      .
      (string) @module))) @import
  (#eq? @called "require"))

((variable_declarator
  name: (object_pattern
    (pair_pattern
      key: (property_identifier) @name
      value: (identifier) @alias))
  value: (call_expression
    function: (identifier) @called
    arguments: (arguments
      .
      (string) @module))) @import
  (#eq? @called "require"))

((assignment_expression
  left: (member_expression
    object: (identifier) @object
    property: (property_identifier) @property)
  right: (object
    (shorthand_property_identifier) @name)) @import @export
  (#eq? @object "module")
  (#eq? @property "exports"))

((assignment_expression
  left: (member_expression
    object: (identifier) @object
    property: (property_identifier) @property)
  right: (object
    (pair
      key: (property_identifier) @alias
      value: (identifier) @name))) @import @export
  (#eq? @object "module")
  (#eq? @property "exports"))

((assignment_expression
  left: (member_expression
    object: (identifier) @object
    property: (property_identifier) @property)
  right: (identifier) @name) @import @export @default
  (#eq? @object "module")
  (#eq? @property "exports"))
