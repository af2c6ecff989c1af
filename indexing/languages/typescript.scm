; What TypeScript adds.

(ambient_declaration
  (_) @target) @whole

(abstract_class_declaration
  name: (_) @name
  (class_heritage)? @bases
  body: (_) @body) @class

(interface_declaration
  name: (_) @name
  (extends_type_clause)? @bases
  body: (_) @body) @interface

(type_alias_declaration
  name: (_) @name) @type

(enum_declaration
  name: (_) @name
  body: (_) @body) @enum

(internal_module
  name: (_) @name
  body: (_) @body) @namespace

(module
  name: (_) @name
  body: (_) @body) @namespace

(function_signature
  name: (_) @name) @function

(abstract_method_signature
  name: (_) @name) @method

(interface_body
  (method_signature
    name: (_) @name) @method)

(interface_body
  (property_signature
    name: (_) @name) @field)

(type_alias_declaration
  value: (object_type
    (property_signature
      name: (_) @name) @field))

(public_field_definition
  name: (_) @name
  value: (_)? @value) @field

(required_parameter
  (accessibility_modifier)
  pattern: (identifier) @name) @field

(enum_body
  (property_identifier) @name @field)

(enum_assignment
  name: (_) @name) @field

(import_statement
  (import_require_clause
    (identifier) @alias
    source: (_) @module)) @import

(export_statement
  "="
  (identifier) @name) @import @export @default
