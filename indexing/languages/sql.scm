; The conventions of these files are in `__init__.py` beside them.

(create_table
  (object_reference
    name: (identifier) @name)
  (column_definitions)? @body) @struct

(column_definition
  name: (identifier) @name
  type: (_) @typed) @field

(create_view
  (object_reference
    name: (identifier) @name)) @struct

(create_materialized_view
  (object_reference
    name: (identifier) @name)) @struct

(create_type
  (object_reference
    name: (identifier) @name)) @type

(create_function
  (object_reference
    name: (identifier) @name)
  (function_body)? @body) @function
