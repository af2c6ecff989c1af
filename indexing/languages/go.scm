(type_declaration
  .
  (type_spec) @target) @whole

(type_spec
  name: (_) @name
  type: (struct_type
    (field_declaration_list) @body)) @struct

(type_spec
  name: (_) @name
  type: (interface_type
    "{" @body)) @interface

(type_spec
  name: (_) @name
  type: [
    (type_identifier)
    (qualified_type)
    (generic_type)
    (pointer_type)
    (slice_type)
    (array_type)
    (map_type)
    (channel_type)
    (function_type)
  ]) @type

(type_alias
  name: (_) @name) @type

(field_declaration
  name: (_) @name
  type: (_) @typed) @field

(method_elem
  name: (_) @name
  result: (_)? @typed) @method

(function_declaration
  name: (_) @name
  result: (_)? @typed
  body: (_) @body) @function

(method_declaration
  receiver: (_) @receiver
  name: (_) @name
  result: (_)? @typed
  body: (_) @body) @method

(source_file
  (const_declaration
    (const_spec
      name: (_) @name) @variable))

(source_file
  (var_declaration
    (var_spec
      name: (_) @name
      type: (_)? @typed
      value: (_)? @value) @variable))

(source_file
  (var_declaration
    (var_spec_list
      (var_spec
        name: (_) @name
        type: (_)? @typed
        value: (_)? @value) @variable)))

(import_spec
  name: (_)? @alias
  path: (_) @module) @import
