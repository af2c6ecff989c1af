(struct_item
  name: (_) @name
  body: (field_declaration_list)? @body) @struct

(enum_item
  name: (_) @name
  body: (_) @body) @enum

(enum_variant
  name: (_) @name) @field

(trait_item
  name: (_) @name
  bounds: (_)? @bases
  body: (_) @body) @trait

(mod_item
  name: (_) @name
  body: (_) @body) @namespace

(mod_item
  name: (_) @module
  .
  ";") @import

(field_declaration
  name: (_) @name
  type: (_) @typed) @field

(function_item
  name: (_) @name
  return_type: (_)? @typed
  body: (_) @body) @function

(function_signature_item
  name: (_) @name
  return_type: (_)? @typed) @function

(const_item
  name: (_) @name
  type: (_) @typed) @variable

(static_item
  name: (_) @name
  type: (_) @typed) @variable

(type_item
  name: (_) @name) @type

(macro_definition
  name: (_) @name) @macro

(impl_item
  trait: (_)? @bases
  type: (_) @receiver
  body: (_) @body) @implementation

(use_declaration
  argument: (scoped_identifier
    path: (_) @module
    name: (_) @name)) @import

(use_declaration
  argument: (use_as_clause
    path: (scoped_identifier
      path: (_) @module
      name: (_) @name)
    alias: (_) @alias)) @import

(use_declaration
  argument: (use_wildcard
    (_) @module
    "*" @name)) @import

(use_declaration
  argument: (scoped_use_list
    path: (_) @module
    list: (use_list
      [
        (identifier)
        (self)
      ] @name))) @import

(use_declaration
  argument: (scoped_use_list
    path: (_) @module
    list: (use_list
      (use_as_clause
        path: (_) @name
        alias: (_) @alias)))) @import
