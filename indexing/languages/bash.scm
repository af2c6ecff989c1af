; The conventions of these files are in `__init__.py` beside them.

(function_definition
  name: (word) @name
  body: (_) @body) @function

(program
  (variable_assignment
    name: (variable_name) @name) @variable)

(program
  (declaration_command
    (variable_assignment
      name: (variable_name) @name)) @variable)

; Half typed.
(ERROR
  (variable_assignment
    name: (variable_name) @name) @variable)
