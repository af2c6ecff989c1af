--- Where Wicket's server is found, for which buffers it runs, and turning it on and off.
local M = {}

---@class wicket.Options
---@field cmd? string[] The command that starts the server; found on $PATH if not given.
---@field settings? table Sent to the server as its `wicket` settings.
---@field accept? string|false Takes the ghost text; mapped only while some is shown.
---@field accept_word? string|false Takes its next word; the same.
---@field accept_line? string|false Takes its next line; the same.
---@field dismiss? string|false Hides it; the same.
---@field next? string|false Shows another one; the same.
---@field previous? string|false Shows the one before; the same.
---@field edit_accept? string Takes a proposed edit; mapped only while one is shown.
---@field edit_reject? string Refuses it; the same.
---@field trigger? string|false Asks now, and then for the next one; always mapped.

---@return wicket.Options
function M.options()
  return vim.tbl_extend('keep', vim.g.wicket or {}, { accept = '<Tab>', settings = vim.empty_dict() })
end

--- The Python beside a console script, run isolated: the script itself would obey a
--- PYTHONPATH that a hostile repository had set for the shell.
---@return string[]
function M.command()
  local given = M.options().cmd
  if given then
    return given
  end
  local script = vim.fn.exepath('wicket')
  local folder = vim.fs.dirname(vim.uv.fs_realpath(script) or '')
  local python = folder .. '/python'
  if vim.fn.executable(python) == 1 and vim.uv.fs_stat(folder .. '/../pyvenv.cfg') then
    return { python, '-I', '-m', 'wicket.server', 'lsp' }
  end
  return { script ~= '' and script or 'wicket', 'lsp' }
end

--- The command that will really run: a user's `vim.lsp.config('wicket', ...)` wins.
---@return string[]|function
function M.effective_command()
  return vim.lsp.config and vim.lsp.config.wicket.cmd or M.command()
end

---@param command string[]|function
---@return { reason: string, fix: string }? problem
function M.problem(command)
  if type(command) == 'table' and vim.fn.executable(command[1]) == 0 then
    return {
      reason = ("there is no program '%s'"):format(command[1]),
      fix = 'install Wicket so that `wicket` is on $PATH, or set g:wicket.cmd',
    }
  end
end

--- The folder the server works in for a buffer, or nil where it has no business.
---@param buffer integer
---@return string?
function M.root(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  if vim.bo[buffer].buftype ~= '' or name == '' or name:find('^%a[%w+.-]+://') then
    return
  end
  -- Answers and requests that the server itself has written are no folder to work in.
  if name:find('/wicket[^/]*/answers/[^/]+$') then
    return
  end
  return vim.fs.root(buffer, '.git') or vim.fs.dirname(vim.fs.normalize(name))
end

--- What a new buffer asks for.  Neovim 0.11 and newer start an enabled server themselves,
--- but pass in silence over a command that does not exist.
---@param buffer integer
function M.start(buffer)
  local root = vim.g.wicket_enabled ~= false and M.root(buffer)
  if not root then
    return
  end
  local problem = M.problem(M.effective_command())
  if problem then
    require('wicket.status').receive({ state = 'off', reason = problem.reason, fix = problem.fix })
    -- Short and by itself, or it would stop at a prompt while the file is being opened.
    vim.schedule(function()
      vim.notify_once(('wicket: %s; see :WicketStatus'):format(problem.reason), vim.log.levels.WARN)
    end)
  elseif not vim.lsp.enable then
    local file = vim.api.nvim_get_runtime_file('lsp/wicket.lua', false)[1]
    local config = vim.tbl_extend('force', dofile(file), { name = 'wicket', root_dir = root })
    vim.lsp.start(config, { bufnr = buffer, reuse_client = M.reuse })
  end
end

-- Clients that were told to stop and are not to be met by new buffers while they do.
local stopping = {} ---@type table<integer, true>

--- Whether a running client serves another buffer too.
---@param client vim.lsp.Client
---@param config vim.lsp.ClientConfig
---@return boolean
function M.reuse(client, config)
  return client.name == 'wicket'
    and client.config.root_dir == config.root_dir
    and not stopping[client.id]
end

--- The clients that will still be there in a moment.
---@return vim.lsp.Client[]
function M.clients()
  return vim.tbl_filter(function(client)
    return not stopping[client.id]
  end, vim.lsp.get_clients({ name = 'wicket' }))
end

function M.enable()
  vim.g.wicket_enabled = true
  if vim.lsp.enable then
    vim.lsp.enable('wicket')
    return
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype ~= '' then
      M.start(buffer)
    end
  end
end

--- No ghost text and no server: a disabled Wicket holds no memory and reads no text.
function M.disable()
  vim.g.wicket_enabled = false
  require('wicket.ghost').dismiss()
  local clients = M.clients()
  for _, client in ipairs(clients) do
    stopping[client.id] = true
  end
  if vim.lsp.enable then
    vim.lsp.enable('wicket', false)
    return
  end
  for _, client in ipairs(clients) do
    client.stop()
  end
end

--- For a statusline: "wicket: ready".
---@return string
function M.status()
  return require('wicket.status').text()
end

return M
