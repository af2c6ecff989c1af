--- Keys that mean something else while ghost text is shown, and only then.
---
--- The mappings exist for exactly as long as the ghost text, so <Tab> keeps whatever meaning
--- it had without this plugin having to imitate it.
local M = {}

-- Options that name a key, and what it does.
local ACTIONS = {
  accept = '<Plug>(wicket-accept)',
  accept_word = '<Plug>(wicket-accept-word)',
  accept_line = '<Plug>(wicket-accept-line)',
  dismiss = '<Plug>(wicket-dismiss)',
  next = '<Plug>(wicket-next)',
  previous = '<Plug>(wicket-previous)',
}

---@class wicket.Held
---@field buffer integer
---@field before table<string, table> By key: the buffer's own mapping that comes back.
local held ---@type wicket.Held?

---@param key string
---@return table? mapping Of this buffer, as `maparg()` gives it.
local function own_mapping(key)
  local mapping = vim.fn.maparg(key, 'i', false, true)
  return mapping.buffer == 1 and mapping or nil
end

---@param buffer integer The current one.
function M.hold(buffer)
  if held and held.buffer == buffer then
    return
  end
  M.release()
  held = { buffer = buffer, before = {} }
  local options = require('wicket').options()
  for option, action in pairs(ACTIONS) do
    local key = options[option]
    if key then
      held.before[key] = own_mapping(key) or {}
      vim.keymap.set('i', key, action, { buffer = buffer, remap = true, desc = 'wicket: ' .. option })
    end
  end
end

function M.release()
  if not held then
    return
  end
  local buffer, before = held.buffer, held.before
  held = nil
  if not vim.api.nvim_buf_is_valid(buffer) then
    return
  end
  vim.api.nvim_buf_call(buffer, function()
    for key, mapping in pairs(before) do
      local present = own_mapping(key)
      -- A mapping that somebody made meanwhile is theirs.
      if present and vim.startswith(present.desc or '', 'wicket: ') then
        if next(mapping) then
          vim.fn.mapset('i', false, mapping)
        else
          vim.keymap.del('i', key, { buffer = buffer })
        end
      end
    end
  end)
end

return M
