; What C++ adds.

(class_specifier
  name: (_) @name
  (base_class_clause)? @bases
  body: (_) @body) @class

(namespace_definition
  name: (_) @name
  body: (_) @body) @namespace

(declaration_list
  (declaration
    type: (_) @typed
    declarator: (_) @declared) @variable)

(template_declaration
  [
    (class_specifier)
    (function_definition)
    (declaration)
  ] @target) @whole

(field_declaration_list
  (declaration
    declarator: (_) @declared) @field)

(alias_declaration
  name: (_) @name) @type
