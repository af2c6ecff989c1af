--- What an inline item still has to say, decided from the buffer's text alone.
local M = {}

--- An answer of the server, fixed to the text it was asked for.
---@class wicket.Item
---@field text string What stands from `start` on once it is accepted.
---@field row integer 0-based row where `text` begins.
---@field head string That row before `text`.
---@field replaced string What `text` replaces after the cursor.
---@field after string The rest of the cursor's row, which stays.
---@field line_count integer Lines of the buffer when the item was asked for.
---@field id? string What the server knows it by.
---@field command? lsp.Command To run once it is accepted.

---@class wicket.Rest
---@field text string Still to be inserted at the cursor; never empty.
---@field replaced string What it replaces after the cursor.
---@field after string What follows that on the row.
---@field row integer 0-based.
---@field column integer In bytes.

---@class wicket.View
---@field row integer 0-based.
---@field column integer In bytes.
---@field line string
---@field line_count integer

-- Columns in the units of a position encoding, from and to bytes.
local encodings = {
  ['utf-8'] = {
    units = function(text)
      return #text
    end,
    bytes = function(line, units)
      return units <= #line and units or -1
    end,
  },
  ['utf-16'] = {
    units = function(text)
      return vim.fn.strutf16len(text, true) -- Composing characters count.
    end,
    bytes = function(line, units)
      return vim.fn.byteidxcomp(line, units, true)
    end,
  },
  ['utf-32'] = {
    units = vim.fn.strchars,
    bytes = vim.fn.byteidxcomp,
  },
}

--- The cursor of the current window as the protocol wants it.
---@param view wicket.View
---@param encoding string
---@return lsp.Position
function M.position(view, encoding)
  local before = view.line:sub(1, view.column)
  return { line = view.row, character = encodings[encoding].units(before) }
end

--- Nil where the item does not continue what stands before the cursor: ghost text can only
--- be shown after it.
---@param answer table An `InlineCompletionItem`.
---@param view wicket.View What was in the buffer when it was asked for.
---@param encoding string
---@return wicket.Item?
function M.read(answer, view, encoding)
  local text = answer.insertText
  local here = M.position(view, encoding)
  local range = type(answer.range) == 'table' and answer.range or { start = here, ['end'] = here }
  if type(text) ~= 'string' or range.start.line ~= view.row or range['end'].line ~= view.row then
    return
  end
  local bytes = encodings[encoding].bytes
  local first = bytes(view.line, range.start.character)
  local last = bytes(view.line, range['end'].character)
  if first < 0 or first > view.column or last < view.column then
    return
  end
  local command = answer.command ~= vim.NIL and answer.command or nil
  return {
    text = (text:gsub('\r\n?', '\n')),
    row = view.row,
    head = view.line:sub(1, first),
    replaced = view.line:sub(view.column + 1, last),
    after = view.line:sub(last + 1),
    line_count = view.line_count,
    id = command and (command.arguments or {})[1],
    command = command,
  }
end

--- Where the characters of `part` stand in `whole`, each as late as possible; nil if they
--- do not all occur in order.
---@param part string[]
---@param whole string[]
---@return table<integer, true>?
local function places(part, whole)
  local found = {}
  local wanted = #part
  for index = #whole, 1, -1 do
    if wanted > 0 and whole[index] == part[wanted] then
      found[index] = true
      wanted = wanted - 1
    end
  end
  return wanted == 0 and found or nil
end

---@param text string
local function characters(text)
  return vim.fn.split(text, '\\zs')
end

---@param text string
local function first_line(text)
  return (text:gsub('\n.*', ''))
end

--- What remains of an item at the cursor, or nil if the buffer went another way.
--- What stands between the cursor and the kept rest of the row may have changed since, for
--- bracket pairs insert and eat closers: the item goes on as long as it contains them.
---@param item wicket.Item
---@param lines string[] From the item's row to the cursor's.
---@param view wicket.View
---@return wicket.Rest?
function M.rest(item, lines, view)
  if view.line_count - item.line_count ~= view.row - item.row then
    return
  end
  local following = view.line:sub(view.column + 1)
  lines[#lines] = view.line:sub(1, view.column)
  local before = table.concat(lines, '\n')
  local written = item.head .. item.text
  if #before < #item.head or not vim.startswith(written, before) then
    return
  end
  local text = written:sub(#before + 1)
  if not vim.endswith(following, item.after) then
    return
  end
  local replaced = following:sub(1, #following - #item.after)
  if text == '' or text == replaced then
    return
  end
  if replaced ~= item.replaced and not places(characters(replaced), characters(first_line(text))) then
    return
  end
  return { text = text, replaced = replaced, after = item.after, row = view.row, column = view.column }
end

--- How much of a rest an accept takes.
---@type table<string, fun(text: string): string>
M.amounts = {
  all = function(text)
    return text
  end,
  line = function(text)
    return text:match('^\n?[^\n]*')
  end,
  word = function(text)
    local space, line = text:match('^(%s*)([^\n]*)')
    return space .. vim.fn.matchstr(line, [[^\%(\k\+\|\%(\k\@!\S\)\+\)]])
  end,
}

--- Tabs as wide as they will be, and control characters as Vim shows them.
---@param text string
---@param column integer Screen column of its first character.
local function printable(text, column)
  local shown = {}
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    piece = vim.fn.strtrans(piece)
    column = column + vim.fn.strdisplaywidth(piece, column)
    shown[#shown + 1] = piece
    if tab ~= '' then
      local width = vim.fn.strdisplaywidth('\t', column)
      column = column + width
      shown[#shown + 1] = (' '):rep(width)
    end
  end
  return table.concat(shown)
end

---@class wicket.Piece
---@field text string
---@field column integer Byte column in the cursor's row.
---@field over boolean Drawn over the row's text, not between it.

--- The drawing of a rest: pieces in the cursor's row and whole lines below it.
---@param rest wicket.Rest
---@param before string The row before the cursor.
---@return wicket.Piece[] pieces
---@return string[] below
function M.drawing(rest, before)
  local lines = vim.split(rest.text, '\n', { plain = true })
  local column = vim.fn.strdisplaywidth(before)
  local whole = characters(lines[1])
  local kept = places(characters(rest.replaced), whole)
  local pieces ---@type wicket.Piece[]
  if kept and (#lines == 1 or not rest.after:find('%S')) then
    -- The text that stays is part of what is suggested, so only the gaps are drawn.
    pieces = {}
    local gap, at = '', rest.column
    for index = 1, #whole + 1 do
      if kept[index] or index > #whole then
        if gap ~= '' then
          pieces[#pieces + 1] = { text = printable(gap, column), column = at, over = false }
          column = column + vim.fn.strdisplaywidth(gap, column)
        end
        gap = ''
        at = at + #(whole[index] or '')
        column = column + vim.fn.strdisplaywidth(whole[index] or '', column)
      else
        gap = gap .. whole[index]
      end
    end
  else
    -- The rest of the row moves or goes: draw the row as it will be over the one that is.
    lines[#lines] = lines[#lines] .. rest.after
    local width = vim.fn.strdisplaywidth(rest.replaced .. rest.after, column)
    local text = printable(lines[1], column)
    local missing = width - vim.fn.strdisplaywidth(text, column)
    pieces = { { text = text .. (' '):rep(missing), column = rest.column, over = true } }
  end
  local below = {}
  for index = 2, #lines do
    below[#below + 1] = printable(lines[index], 0)
  end
  return pieces, below
end

return M
