; The conventions of these files are in `__init__.py` beside them.

(class_declaration
  name: (name) @name
  (base_clause)? @bases
  (class_interface_clause)? @bases
  body: (_) @body) @class

(interface_declaration
  name: (name) @name
  (base_clause)? @bases
  body: (_) @body) @interface

(trait_declaration
  name: (name) @name
  body: (_) @body) @trait

(enum_declaration
  name: (name) @name
  body: (_) @body) @enum

(enum_case
  name: (name) @name) @field

(function_definition
  name: (name) @name
  body: (_) @body) @function

(method_declaration
  name: (name) @name
  body: (_)? @body) @function

(property_element
  name: (variable_name
    (name) @name)) @field

(const_element
  (name) @name) @variable
