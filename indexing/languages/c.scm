; What C and C++ have in common.

(function_definition
  type: (_)? @typed
  declarator: (_) @declared
  body: (_) @body) @function

(translation_unit
  (declaration
    type: (_) @typed
    declarator: (_) @declared) @variable)

(preproc_ifdef
  (declaration
    type: (_) @typed
    declarator: (_) @declared) @variable)

(struct_specifier
  name: (_) @name
  body: (_) @body) @struct

(union_specifier
  name: (_) @name
  body: (_) @body) @struct

(enum_specifier
  name: (_) @name
  body: (_) @body) @enum

(enumerator
  name: (_) @name) @field

(field_declaration
  type: (_) @typed
  declarator: (_) @declared) @field

(type_definition
  type: (_) @typed
  declarator: (_) @declared) @type

(preproc_def
  name: (_) @name) @macro

(preproc_function_def
  name: (_) @name) @macro

(preproc_include
  path: (_) @module) @import @all
