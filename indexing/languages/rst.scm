; The conventions of these files are in `__init__.py` beside them.

(section
  (title) @name) @heading
