--- `:WicketWhy`: what the server knows about the suggestion shown last, or why there is none,
--- in a scratch window.
local M = {}

local namespace = vim.api.nvim_create_namespace('wicket.why')

---@class wicket.Link
---@field text string As it stands in a line of the page.
---@field path string
---@field line integer From 1.

--- Open the file that is named in the cursor's line, in the window that was left.
---@param links wicket.Link[]
local function follow(links)
  local here = vim.api.nvim_get_current_line()
  for _, link in ipairs(links) do
    if here:find(link.text, 1, true) then
      vim.cmd.close()
      vim.cmd.edit({ args = { link.path }, magic = { file = false, bar = false } })
      local last = vim.api.nvim_buf_line_count(0)
      vim.api.nvim_win_set_cursor(0, { math.min(link.line, last), 0 })
      return
    end
  end
end

---@param page { lines: string[], links: wicket.Link[] }
local function show(page)
  vim.cmd.new()
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype = 'nofile'
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].swapfile = false
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, page.lines)
  vim.bo[buffer].modifiable = false
  vim.api.nvim_win_set_height(0, math.min(#page.lines, math.floor(vim.o.lines / 2)))
  for index, line in ipairs(page.lines) do
    for _, link in ipairs(page.links) do
      local first, last = line:find(link.text, 1, true)
      if first then
        vim.api.nvim_buf_set_extmark(buffer, namespace, index - 1, first - 1, {
          end_col = last,
          hl_group = 'Underlined',
        })
      end
    end
  end
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, desc = 'Close' })
  for _, key in ipairs({ '<CR>', 'gf' }) do
    vim.keymap.set('n', key, function()
      follow(page.links)
    end, { buffer = buffer, desc = 'Open the file that is named here' })
  end
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
      show(result.page)
    end
  end
  if vim.fn.has('nvim-0.11') == 1 then
    client:request('wicket/explainSuggestion', params, answered)
  else
    client.request('wicket/explainSuggestion', params, answered)
  end
end

return M
