--- Ghost text: asks the server on every change, draws the answer, keeps it while the typed
--- text agrees with it, and accepts it.
---
--- Neovim fires its insert-mode events before it redraws.  All that must be true of the next
--- frame is therefore decided inside them, without waiting for the server.
local M = {}

local items = require('wicket.item')
local keys = require('wicket.keys')
local marks = require('wicket.marks')
local api = vim.api

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2
local SINCE_0_11 = vim.fn.has('nvim-0.11') == 1

---@type table<integer, vim.lsp.Client> By buffer.
local clients = {}

---@class wicket.Shown
---@field buffer integer
---@field alternatives wicket.Item[]
---@field index integer The one of them that is drawn.
---@field last_row integer The row its drawing hangs on.
---@field foreign boolean Something other than typing has changed the buffer.

local shown ---@type wicket.Shown?
local pending ---@type wicket.Question?
local seen ---@type string? The state of the buffer that was last dealt with.
local last_id ---@type string? Of what was drawn since the latest answer.

-- Neovim 0.11 turned the functions of a client into methods.
local function call(client, name, ...)
  if SINCE_0_11 then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- Neovim tells a server of changes from `nvim_buf_attach`, which ends when text is changed
--- while no server runs, and is not begun anew for the next server (seen in 0.10 to 0.12).
local function tell(client, buffer)
  local tick = api.nvim_buf_get_changedtick(buffer)
  if vim.lsp.util.buf_versions[buffer] == tick then
    return
  end
  vim.lsp.util.buf_versions[buffer] = tick
  local eol = ({ dos = '\r\n', mac = '\r' })[vim.bo[buffer].fileformat] or '\n'
  local text = table.concat(api.nvim_buf_get_lines(buffer, 0, -1, true), eol)
  call(client, 'notify', 'textDocument/didChange', {
    textDocument = { uri = vim.uri_from_bufnr(buffer), version = tick },
    contentChanges = { { text = text .. (vim.bo[buffer].eol and eol or '') } },
  })
end

---@return wicket.View
local function view()
  local cursor = api.nvim_win_get_cursor(0)
  return {
    row = cursor[1] - 1,
    column = cursor[2],
    line = api.nvim_get_current_line(),
    line_count = api.nvim_buf_line_count(0),
  }
end

local function enabled(buffer)
  return clients[buffer] and vim.g.wicket_enabled ~= false and vim.b[buffer].wicket_enabled ~= false
end

--- Plain insert mode: with a completion menu the mode is "ic".
local function typing()
  return api.nvim_get_mode().mode == 'i'
end

local function cancel()
  if pending then
    call(pending.client, 'cancel_request', pending.id)
    pending = nil
  end
end

local function clear()
  shown = nil
  keys.release()
  marks.clear()
end

---@return wicket.Item?, wicket.Rest?
local function current()
  local buffer = api.nvim_get_current_buf()
  if not shown or shown.buffer ~= buffer or shown.foreign then
    return
  end
  local item = shown.alternatives[shown.index]
  local now = view()
  if now.row < item.row then
    return
  end
  local rest = items.rest(item, api.nvim_buf_get_lines(buffer, item.row, now.row + 1, false), now)
  return item, rest
end

--- Redraw what still agrees with the buffer, or take it away.
local function refresh()
  local item, rest = current()
  if item and rest then
    last_id = item.id
    shown.last_row = rest.row
    marks.draw(shown.buffer, rest)
    keys.hold(shown.buffer)
  else
    clear()
  end
end

--- Go so many alternatives on, round and round, to one that still agrees with the text.
---@param steps integer
local function turn(steps)
  local count = #shown.alternatives
  for _ = 1, count do
    shown.index = (shown.index - 1 + steps) % count + 1
    local _, rest = current()
    if rest then
      break
    end
  end
  refresh()
end

---@class wicket.Question
---@field client vim.lsp.Client
---@field buffer integer
---@field view wicket.View
---@field kind integer
---@field steps integer How far to go on from the first of several answers.
---@field id? integer

--- An answer: null leaves what is shown, an empty list takes it away.
---@param result table?
---@param asked wicket.Question
local function answered(result, asked)
  if not result or result == vim.NIL or asked.buffer ~= api.nvim_get_current_buf() or not typing() then
    return
  end
  local _, rest = current()
  if rest and shown.index > 1 and asked.kind == AUTOMATIC then
    return -- Who has chosen among several keeps the choice while the text agrees with it.
  end
  last_id = nil
  local alternatives = {}
  for _, answer in ipairs(result.items or result) do
    alternatives[#alternatives + 1] = items.read(answer, asked.view, asked.client.offset_encoding)
  end
  if #alternatives == 0 then
    clear()
    return
  end
  shown = {
    buffer = asked.buffer,
    alternatives = alternatives,
    index = 1,
    last_row = asked.view.row,
    foreign = false,
  }
  refresh()
  if shown and asked.steps ~= 0 then
    turn(asked.steps)
  end
end

--- Ask for the text at the cursor; the question before this one is withdrawn.
---@param kind integer
---@param steps? integer
local function ask(kind, steps)
  cancel()
  local buffer = api.nvim_get_current_buf()
  local client = clients[buffer]
  local mine = { client = client, buffer = buffer, view = view(), kind = kind, steps = steps or 0 }
  tell(client, buffer)
  local sent, id = call(client, 'request', METHOD, {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    position = items.position(mine.view, client.offset_encoding),
    context = { triggerKind = kind },
  }, function(err, result)
    if pending == mine then
      pending = nil
      if not err then
        answered(result, mine)
      end
    end
  end, buffer)
  mine.id = id
  pending = sent and mine or nil
end

--- One step for each state of the buffer, whichever event tells of it first.
local function update()
  local buffer = api.nvim_get_current_buf()
  if not enabled(buffer) or not typing() then
    M.dismiss()
    return
  end
  local cursor = api.nvim_win_get_cursor(0)
  local state = table.concat({ buffer, api.nvim_buf_get_changedtick(buffer), cursor[1], cursor[2] }, ' ')
  if state ~= seen then
    seen = state
    refresh()
    ask(AUTOMATIC)
  end
end

--- Hide the ghost text until the text or the cursor changes.
function M.dismiss()
  cancel()
  clear()
end

--- Show another of several answers; where only one is known, ask for more first.
---@param steps integer 1 is the next one, -1 the one before.
function M.cycle(steps)
  local buffer = api.nvim_get_current_buf()
  if not enabled(buffer) or not typing() then
    return
  end
  local _, rest = current()
  if rest and #shown.alternatives > 1 then
    turn(steps)
  else
    ask(INVOKED, rest and steps or 0)
  end
end

--- Ask now; where something is shown already, for the next one.
function M.trigger()
  M.cycle(1)
end

--- Insert what is shown, or the beginning of it.
---@param amount 'all'|'line'|'word'
function M.accept(amount)
  local item, rest = current()
  if not item or not rest then
    return
  end
  local client = clients[shown.buffer]
  local buffer = shown.buffer
  local text = items.amounts[amount](rest.text)
  local whole = text == rest.text
  local lines = vim.split(text, '\n', { plain = true })
  local last = rest.column + (whole and #rest.replaced or 0)
  cancel()
  if whole then
    clear()
  end
  api.nvim_buf_set_text(buffer, rest.row, rest.column, rest.row, last, lines)
  local column = #lines[#lines] + (#lines == 1 and rest.column or 0)
  api.nvim_win_set_cursor(0, { rest.row + #lines, column })
  if whole and item.command and client then
    call(client, 'request', 'workspace/executeCommand', {
      command = item.command.command,
      arguments = item.command.arguments,
    }, function() end, buffer)
  elseif not whole then
    refresh()
    if not client then
      return
    end
    -- A piece of one character looks like a key to the server.
    local taken = item.text:sub(1, #item.text - #rest.text + #text)
    call(client, 'notify', 'textDocument/didPartiallyAcceptCompletion', {
      item = { insertText = item.text, command = item.command },
      acceptedLength = vim.fn.strutf16len(taken, true),
    })
  end
end

--- What the server knows the shown suggestion by, or the one shown last.
---@return string?
function M.last_id()
  return last_id
end

--- Typing changes the rows that the shown item spans; anything else is somebody else's edit.
local function watch(buffer)
  api.nvim_buf_attach(buffer, false, {
    on_lines = function(_, _, _, first, last_before)
      if not clients[buffer] then
        return true
      end
      if shown and shown.buffer == buffer then
        local item = shown.alternatives[shown.index]
        shown.foreign = shown.foreign or first < item.row or last_before > shown.last_row + 1
      end
    end,
  })
end

local function listen()
  local group = api.nvim_create_augroup('wicket.ghost', {})
  api.nvim_create_autocmd({ 'TextChangedI', 'CursorMovedI' }, { group = group, callback = update })
  -- Neovim 0.10 reports E315 when the buffer of a drawn mark is wiped out.
  api.nvim_create_autocmd('BufLeave', { group = group, callback = M.dismiss })
  -- Every way out of plain insert mode, <C-c> and a completion menu included, and every way in.
  api.nvim_create_autocmd('ModeChanged', {
    group = group,
    callback = function(event)
      if not clients[event.buf] then
        return
      end
      seen = nil
      if vim.v.event.new_mode == 'i' then
        vim.schedule(update) -- The cursor is not yet where the mode puts it.
      else
        M.dismiss()
      end
    end,
  })
end

---@param buffer integer
---@param client vim.lsp.Client
function M.attach(buffer, client)
  if not client.server_capabilities.inlineCompletionProvider then
    return
  end
  if not next(clients) then
    listen()
  end
  if not clients[buffer] then
    watch(buffer)
  end
  clients[buffer] = client
  local trigger = require('wicket').options().trigger
  if trigger then
    vim.keymap.set('i', trigger, '<Plug>(wicket-trigger)', { buffer = buffer, remap = true })
  end
  vim.schedule(function()
    if enabled(buffer) and buffer == api.nvim_get_current_buf() and typing() then
      update() -- The server came up while the person was typing already.
    end
  end)
end

---@param buffer integer
---@param client_id integer
function M.detach(buffer, client_id)
  if clients[buffer] and clients[buffer].id == client_id then
    if shown and shown.buffer == buffer then
      clear()
    end
    pending = pending and pending.client.id ~= client_id and pending or nil
    clients[buffer] = nil
  end
end

return M
