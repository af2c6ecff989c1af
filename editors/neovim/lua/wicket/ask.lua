--- `:WicketAsk`: a question about the code; the server opens the document of the answer.
local M = {}

---@param question string
---@param range? { [1]: integer, [2]: integer } First and last line, from 1.
function M.ask(question, range)
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'wicket' })[1]
  if not client then
    return vim.notify('Wicket: no server runs for this buffer', vim.log.levels.WARN)
  end
  local said = { question = question, uri = vim.uri_from_bufnr(0) }
  if range then
    said.range = {
      start = { line = range[1] - 1, character = 0 },
      ['end'] = { line = range[2], character = 0 },
    }
  end
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

--- The document is a file that the server replaces as the answer grows.
vim.lsp.handlers['wicket/answer'] = function(_, news)
  local buffer = vim.fn.bufnr(vim.uri_to_fname(news.uri))
  if buffer > 0 then
    vim.bo[buffer].autoread = true
    vim.bo[buffer].modifiable = true
    vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(news.text, '\n'))
    vim.bo[buffer].modified = false
    vim.bo[buffer].modifiable = false
  end
end

return M
