; The conventions of these files are in `__init__.py` beside them.

(module
  name: (_) @name
  body: (_)? @body) @namespace

(class
  name: (_) @name
  superclass: (_)? @bases
  body: (_)? @body) @class

(method
  name: (_) @name
  body: (_)? @body) @function

(singleton_method
  name: (_) @name
  body: (_)? @body) @function

(assignment
  left: (constant) @name
  right: (_)? @value) @variable
