; The conventions of these files are in `__init__.py` beside them.

(decorated_definition
  definition: (_) @target) @whole

(class_definition
  name: (identifier) @name
  superclasses: (argument_list)? @bases
  body: (block) @body) @class

(function_definition
  name: (identifier) @name
  body: (block) @body) @function

(module
  (expression_statement
    (assignment
      left: (identifier) @name
      right: (_)? @value) @variable))

(class_definition
  body: (block
    (expression_statement
      (assignment
        left: (identifier) @name
        right: (_)? @value) @field)))

((assignment
  left: (attribute
    object: (identifier) @self
    attribute: (identifier) @name)
  right: (_)? @value) @field
  (#eq? @self "self"))

(import_statement
  name: (dotted_name) @module) @import

(import_statement
  name: (aliased_import
    name: (dotted_name) @module
    alias: (identifier) @alias)) @import

(import_from_statement
  module_name: (_) @module
  name: (dotted_name) @name) @import

(import_from_statement
  module_name: (_) @module
  name: (aliased_import
    name: (dotted_name) @name
    alias: (identifier) @alias)) @import

(import_from_statement
  module_name: (_) @module
  (wildcard_import) @name) @import
