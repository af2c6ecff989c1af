--- `:WicketAsk`: a question about the code; the server opens the document of the answer.
local M = {}

---@param said table Arguments of `wicket.ask`: question, and uri and range, or again.
---@param client vim.lsp.Client
local function send(said, client)
  local function answered(failure, answer)
    local why = failure and failure.message or (answer and answer.why)
    if why and why ~= vim.NIL then
      vim.notify('Wicket: ' .. why, vim.log.levels.WARN)
    end
  end
  local params = { command = 'wicket.ask', arguments = { said } }
  if vim.fn.has('nvim-0.11') == 1 then
    client:request('workspace/executeCommand', params, answered)
  else
    client.request('workspace/executeCommand', params, answered)
  end
end

--- In the document of an answer the question is about that answer.
---@param question string The person is asked for it where it is empty.
---@param range? { [1]: integer, [2]: integer } First and last line, from 1.
function M.ask(question, range)
  local answer = vim.b.wicket_answer
  local client = answer and vim.lsp.get_client_by_id(answer.client)
    or vim.lsp.get_clients({ bufnr = 0, name = 'wicket' })[1]
  if not client then
    local why = 'Wicket: no server runs for this buffer; :WicketStatus says why'
    return vim.notify(why, vim.log.levels.WARN)
  end
  local said = answer and { again = answer.id } or { uri = vim.uri_from_bufnr(0) }
  if range and not answer then
    said.range = {
      start = { line = range[1] - 1, character = 0 },
      ['end'] = { line = range[2], character = 0 },
    }
  end
  local function asked(words)
    if words and words ~= '' then
      said.question = words
      send(said, client)
    end
  end
  if question ~= '' then
    return asked(question)
  end
  vim.ui.input({ prompt = answer and 'Wicket, ask more: ' or 'Wicket, ask: ' }, asked)
end

local NORMAL = { n = true, nt = true }

--- A question of the server's waits until nobody types any more: Neovim's own prompt would take
--- the keys, and a digit among them for a yes.
function M.choose(...)
  -- Once more after each wait: `<Esc>o` is back in insert mode by then.
  while not NORMAL[vim.api.nvim_get_mode().mode] do
    local waiting = coroutine.running()
    vim.api.nvim_create_autocmd('ModeChanged', {
      pattern = { '*:n', '*:nt' },
      once = true,
      callback = vim.schedule_wrap(function()
        coroutine.resume(waiting)
      end),
    })
    vim.api.nvim_echo({ { 'Wicket: a question waits until you are in normal mode' } }, true, {})
    coroutine.yield()
  end
  return vim.lsp.handlers['window/showMessageRequest'](...)
end

--- The document is a file that the server replaces as the answer grows.
vim.lsp.handlers['wicket/answer'] = function(_, news, context)
  local buffer = vim.fn.bufnr(vim.uri_to_fname(news.uri))
  if buffer > 0 then
    vim.b[buffer].wicket_answer = { id = news.id, client = context.client_id }
    vim.bo[buffer].autoread = true
    vim.bo[buffer].modifiable = true
    vim.bo[buffer].readonly = false -- Else Neovim warns of the change.
    vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(news.text, '\n'))
    vim.bo[buffer].modified = false
    vim.bo[buffer].modifiable = false
  end
end

return M
