; The conventions of these files are in `__init__.py` beside them.

(from_instruction
  as: (image_alias) @name) @heading

(from_instruction
  (image_spec
    name: (image_name) @name)
  !as) @heading

(arg_instruction
  (arg_pair
    name: (_) @name)) @heading

(env_instruction
  (env_pair
    name: (_) @name)) @heading
