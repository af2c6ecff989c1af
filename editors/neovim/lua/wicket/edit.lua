--- `:WicketEdit`: say what, and see the proposed edit where the code is, to take or refuse.
local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('wicket.edit')
local group = api.nvim_create_augroup('wicket.edit', {})

api.nvim_set_hl(0, 'WicketAdded', { link = 'DiffAdd', default = true })
api.nvim_set_hl(0, 'WicketRemoved', { link = 'DiffDelete', default = true })
api.nvim_set_hl(0, 'WicketNote', { link = 'DiagnosticWarn', default = true })

---@class wicket.Shown
---@field settle fun(decision: 'applied'|'rejected')
---@field keys string[]

local shown = {} ---@type table<integer, wicket.Shown> By buffer.

--- Ask the server for an edit.  The words come from the person where none are given.
---@param said table Arguments of `wicket.edit`: uri, range, instruction.
function M.ask(said)
  if not said.instruction or said.instruction == '' then
    return vim.ui.input({ prompt = 'Wicket, edit: ' }, function(words)
      if words and words ~= '' then
        M.ask(vim.tbl_extend('force', said, { instruction = words }))
      end
    end)
  end
  local buffer = vim.uri_to_bufnr(said.uri)
  local client = vim.lsp.get_clients({ bufnr = buffer, name = 'wicket' })[1]
  if not client then
    local why = 'Wicket: no server runs for this buffer; :WicketStatus says why'
    return vim.notify(why, vim.log.levels.WARN)
  end
  -- What went wrong is said by the server itself.
  local params = { command = 'wicket.edit', arguments = { said } }
  if vim.fn.has('nvim-0.11') == 1 then
    client:request('workspace/executeCommand', params, function() end)
  else
    client.request('workspace/executeCommand', params, function() end)
  end
end

---@param words string
---@param range? { [1]: integer, [2]: integer } First and last line, from 1.
function M.edit(words, range)
  local row = api.nvim_win_get_cursor(0)[1]
  local from = { line = (range and range[1] or row) - 1, character = 0 }
  local to = range and { line = range[2], character = 0 } or from
  M.ask({
    uri = vim.uri_from_bufnr(0),
    range = { start = from, ['end'] = to },
    kind = 'edit',
    instruction = words,
  })
end

--- Which lines an edit takes away, from 0 and the end exclusive, and which ones it brings.
---@param edit { range: table, newText: string }
---@return integer first, integer last, string[] added
local function lines_of(edit)
  local from, to = edit.range.start, edit.range['end']
  local last = to.character > 0 and to.line + 1 or to.line
  local added = vim.split(edit.newText, '\n', { plain = true })
  if added[#added] == '' then
    added[#added] = nil
  end
  return from.line, last, added
end

---@param buffer integer
---@param edit table
---@param hint table[] What stands behind the first line that comes.
local function draw(buffer, edit, hint)
  local first, last, added = lines_of(edit)
  local count = api.nvim_buf_line_count(buffer)
  for row = first, math.min(last, count) - 1 do
    api.nvim_buf_set_extmark(buffer, namespace, row, 0, { line_hl_group = 'WicketRemoved' })
  end
  local virtual = vim.tbl_map(function(line)
    return { { line == '' and ' ' or (line:gsub('\t', (' '):rep(vim.bo[buffer].tabstop))), 'WicketAdded' } }
  end, added)
  if hint then
    table.insert(virtual, hint)
  end
  if #virtual > 0 then
    local above = last == 0
    local row = math.min(above and 0 or last - 1, count - 1)
    api.nvim_buf_set_extmark(buffer, namespace, row, 0, {
      virt_lines = virtual,
      virt_lines_above = above,
    })
  end
end

--- Show a proposal in its buffer; `answer` is called once with what the person decided.
---@param proposal table See `wicket/proposeEdit`.
---@param client vim.lsp.Client
---@param answer fun(decision: 'applied'|'rejected')
function M.show(proposal, client, answer)
  local buffer = vim.uri_to_bufnr(proposal.uri)
  if shown[buffer] then
    shown[buffer].settle('rejected')
  end
  if not api.nvim_buf_is_loaded(buffer) or vim.lsp.util.buf_versions[buffer] ~= proposal.version then
    return answer('rejected')
  end
  local options = require('wicket').options()
  local accept, reject = options.edit_accept or '<CR>', options.edit_reject or '<Esc>'
  local mine = { keys = { accept, reject } }

  function mine.settle(decision)
    if shown[buffer] ~= mine then
      return
    end
    shown[buffer] = nil
    api.nvim_clear_autocmds({ group = group, buffer = buffer })
    if api.nvim_buf_is_valid(buffer) then
      api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
      for _, key in ipairs(mine.keys) do
        pcall(vim.keymap.del, 'n', key, { buffer = buffer })
      end
      if decision == 'applied' then
        vim.lsp.util.apply_text_edits(proposal.edits, buffer, client.offset_encoding)
      end
    end
    answer(decision)
  end

  shown[buffer] = mine
  local hint = {
    { (' %s applies, %s refuses '):format(accept, reject), 'WicketNote' },
  }
  for _, note in ipairs(proposal.notes) do
    table.insert(hint, { (' beware: %s'):format(note), 'WicketNote' })
  end
  for index, edit in ipairs(proposal.edits) do
    draw(buffer, edit, index == #proposal.edits and hint or nil)
  end
  vim.keymap.set('n', accept, function()
    mine.settle('applied')
  end, { buffer = buffer, desc = 'Wicket: apply the edit' })
  vim.keymap.set('n', reject, function()
    mine.settle('rejected')
  end, { buffer = buffer, desc = 'Wicket: refuse the edit' })
  -- Whoever goes on typing has decided.
  api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'BufUnload' }, {
    group = group,
    buffer = buffer,
    callback = function(event)
      if event.event == 'BufUnload' or api.nvim_buf_get_changedtick(buffer) ~= mine.tick then
        mine.settle('rejected')
      end
    end,
  })
  mine.tick = api.nvim_buf_get_changedtick(buffer)
  local first = lines_of(proposal.edits[1])
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    local row = math.min(first + 1, api.nvim_buf_line_count(buffer))
    api.nvim_win_set_cursor(window, { row, 0 })
  end
end

--- Answers the server's request once the person has decided; others are served meanwhile.
function M.propose(_, proposal, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  local waiting = coroutine.running()
  local decided, asleep = nil, false
  M.show(proposal, client, function(decision)
    decided = decision
    if asleep then
      coroutine.resume(waiting)
    end
  end)
  if not decided then
    asleep = true
    coroutine.yield()
  end
  return { decision = decided }
end

return M
