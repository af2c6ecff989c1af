; The conventions of these files are in `__init__.py` beside them.

(rule
  (targets
    (word) @name)
  (#not-match? @name "^[.]")) @heading

(variable_assignment
  name: (word) @name) @heading

(define_directive
  name: (word) @name) @heading
