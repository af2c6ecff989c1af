--- Ghost text on the screen: extmarks at the cursor of one buffer.
local M = {}

local items = require('wicket.item')
local api = vim.api

local namespace = api.nvim_create_namespace('wicket')
local SINCE_0_11 = vim.fn.has('nvim-0.11') == 1

local drawn ---@type integer? The buffer that has marks.

api.nvim_set_hl(0, 'WicketGhost', { link = 'Comment', default = true })

function M.clear()
  if drawn and api.nvim_buf_is_valid(drawn) then
    api.nvim_buf_clear_namespace(drawn, namespace, 0, -1)
  end
  drawn = nil
end

--- Draw `rest` instead of what is drawn.
---@param buffer integer The current one.
---@param rest wicket.Rest
function M.draw(buffer, rest)
  M.clear()
  drawn = buffer
  local pieces, below = items.drawing(rest, api.nvim_get_current_line():sub(1, rest.column))
  if #pieces == 0 then
    -- Lines below hang on a mark of their own row.
    pieces = { { text = '', column = rest.column, over = false } }
  end
  for index, piece in ipairs(pieces) do
    local mark = {
      virt_text = { { piece.text, 'WicketGhost' } },
      virt_text_pos = piece.over and 'overlay' or 'inline',
      hl_mode = 'combine',
      undo_restore = false,
    }
    if index == 1 and #below > 0 then
      mark.virt_lines = vim.tbl_map(function(line)
        return { { line, 'WicketGhost' } }
      end, below)
      mark.virt_lines_overflow = SINCE_0_11 and 'scroll' or nil
    end
    api.nvim_buf_set_extmark(buffer, namespace, rest.row, piece.column, mark)
  end
end

return M
