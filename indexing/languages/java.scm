(class_declaration
  name: (_) @name
  superclass: (_)? @bases
  interfaces: (_)? @bases
  body: (_) @body) @class

(record_declaration
  name: (_) @name
  body: (_) @body) @class

(interface_declaration
  name: (_) @name
  (extends_interfaces)? @bases
  body: (_) @body) @interface

(annotation_type_declaration
  name: (_) @name
  body: (_) @body) @interface

(enum_declaration
  name: (_) @name
  body: (_) @body) @enum

(enum_constant
  name: (_) @name) @field

(method_declaration
  type: (_) @typed
  name: (_) @name
  body: (_)? @body) @method

(constructor_declaration
  name: (_) @name
  body: (_) @body) @method

(field_declaration
  type: (_) @typed
  declarator: (variable_declarator
    name: (_) @name)) @field

(constant_declaration
  type: (_) @typed
  declarator: (variable_declarator
    name: (_) @name)) @field

(import_declaration
  (scoped_identifier) @module
  .
  ";") @import

(import_declaration
  (_) @module
  .
  (asterisk) @name) @import
