; What the grammar of JavaScript calls otherwise than that of TypeScript.

(field_definition
  property: (_) @name
  value: (_)? @value) @field
