; The conventions of these files are in `__init__.py` beside them.

(function_declaration
  name: (identifier) @name
  body: (_)? @body) @function

(function_declaration
  name: (dot_index_expression
    table: (_) @receiver
    field: (identifier) @name)
  body: (_)? @body) @function

(function_declaration
  name: (method_index_expression
    table: (_) @receiver
    method: (identifier) @name)
  body: (_)? @body) @function

(assignment_statement
  (variable_list
    name: (dot_index_expression
      table: (_) @receiver
      field: (identifier) @name))
  (expression_list
    value: (function_definition))) @function

(chunk
  (variable_declaration
    (assignment_statement
      (variable_list
        name: (identifier) @name))) @variable)
