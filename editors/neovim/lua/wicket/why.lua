--- `:WicketWhy`: what the server knows about the suggestion shown last, in a scratch window.
local M = {}

--- JSON with one member per line and sorted names, for people.
---@param value any
---@param indent string
---@return string
local function pretty(value, indent)
  if type(value) ~= 'table' or next(value) == nil then
    return vim.json.encode(value)
  end
  local inner = indent .. '  '
  local parts = {}
  if vim.islist(value) then
    for _, member in ipairs(value) do
      parts[#parts + 1] = inner .. pretty(member, inner)
    end
    return ('[\n%s\n%s]'):format(table.concat(parts, ',\n'), indent)
  end
  local names = vim.tbl_keys(value)
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = ('%s%s: %s'):format(inner, vim.json.encode(name), pretty(value[name], inner))
  end
  return ('{\n%s\n%s}'):format(table.concat(parts, ',\n'), indent)
end

---@param text string
local function show(text)
  vim.cmd.new()
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype = 'nofile'
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].swapfile = false
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(text, '\n', { plain = true }))
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].filetype = 'json'
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, desc = 'Close' })
end

local function say(text)
  vim.api.nvim_echo({ { 'wicket: ' .. text, 'WarningMsg' } }, false, {})
end

function M.open()
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'wicket' })[1]
  if not client then
    say('no server runs for this buffer; :WicketStatus says why')
    return
  end
  local id = require('wicket.ghost').last_id()
  local params = id and { id = id } or vim.empty_dict()
  local function answered(err, result)
    if err then
      say('the server does not explain it: ' .. err.message)
    elseif not result or result == vim.NIL then
      say('nothing has been suggested here yet; type and try again')
    else
      show(pretty(result, ''))
    end
  end
  if vim.fn.has('nvim-0.11') == 1 then
    client:request('wicket/explainSuggestion', params, answered)
  else
    client.request('wicket/explainSuggestion', params, answered)
  end
end

return M
