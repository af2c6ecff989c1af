; The conventions of these files are in `__init__.py` beside them.

(namespace_declaration
  name: (_) @name
  body: (_) @body) @namespace

(file_scoped_namespace_declaration
  name: (_) @name) @namespace

(class_declaration
  name: (identifier) @name
  (base_list)? @bases
  body: (_)? @body) @class

(record_declaration
  name: (identifier) @name
  (base_list)? @bases
  body: (_)? @body) @class

(struct_declaration
  name: (identifier) @name
  (base_list)? @bases
  body: (_) @body) @struct

(interface_declaration
  name: (identifier) @name
  (base_list)? @bases
  body: (_) @body) @interface

(enum_declaration
  name: (identifier) @name
  body: (_) @body) @enum

(enum_member_declaration
  name: (identifier) @name) @field

(method_declaration
  returns: (_) @typed
  name: (identifier) @name
  body: (_)? @body) @function

(constructor_declaration
  name: (identifier) @name
  body: (_) @body) @function

(property_declaration
  type: (_) @typed
  name: (identifier) @name
  accessors: (_)? @body) @field

(field_declaration
  (variable_declaration
    type: (_) @typed
    (variable_declarator
      name: (identifier) @name))) @field
