--- What the server says about itself, kept for statuslines and for `:WicketStatus`.
local M = {}

---@class wicket.Status
---@field state 'ready'|'loading'|'off'
---@field model? string
---@field reason? string
---@field fix? string
---@field progress? number Of loading, 0 to 1.

---@type wicket.Status
local current = { state = 'off', reason = 'no server runs', fix = 'open a file that has a filetype' }

---@param status wicket.Status
local function keep(status)
  current = status
  vim.g.wicket_status = M.text()
  vim.cmd.redrawstatus({ bang = true })
end

---@param status wicket.Status A `wicket/status` notification.
function M.receive(status)
  keep(vim.tbl_map(function(value)
    return value ~= vim.NIL and value or nil
  end, status))
end

--- A server has ended.  That is news only where none has taken its place.
---@param code integer
---@param signal integer
---@param id integer Of its client.
function M.stopped(code, signal, id)
  for _, client in ipairs(require('wicket').clients()) do
    if client.id ~= id then
      return
    end
  end
  local reason = code == 0 and signal == 0 and 'the server was stopped'
    or ('the server ended with exit code %d and signal %d'):format(code, signal)
  local fix = ':WicketEnable starts it, :checkhealth wicket looks for the cause'
  keep({ state = 'off', reason = reason, fix = fix })
end

---@return wicket.Status
function M.current()
  return vim.deepcopy(current)
end

--- "wicket: ready", "wicket: loading 40%", "wicket: off".
---@return string
function M.text()
  local progress = current.progress
  local share = current.state == 'loading' and progress and (' %d%%'):format(progress * 100) or ''
  return 'wicket: ' .. current.state .. share
end

--- The state, the model, the reason and what to do, on one line.
---@return string
function M.sentence()
  local parts = { M.text() }
  if current.model then
    parts[1] = ('%s (%s)'):format(parts[1], current.model)
  end
  parts[#parts + 1] = current.reason
  if current.fix then
    parts[#parts + 1] = 'to do: ' .. current.fix
  end
  return table.concat(parts, '; ')
end

function M.print()
  vim.api.nvim_echo({ { M.sentence() } }, false, {})
end

return M
