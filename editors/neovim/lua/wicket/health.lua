--- `:checkhealth wicket`.
local M = {}

local health = vim.health
-- An engine that starts for it loads a model first.
local DOCTOR_MS = 30000

--- What the program that serves this editor finds: version, model, engine, providers, gate.
---@param command string[]|function
local function check_installation(command)
  if type(command) ~= 'table' or command[#command] ~= 'lsp' then
    return
  end
  local doctor = vim.list_extend(vim.list_slice(command, 1, #command - 1), { 'doctor', '--json' })
  local done = vim.system(doctor, { text = true, timeout = DOCTOR_MS }):wait()
  local understood, said = pcall(vim.json.decode, done.stdout, { luanil = { object = true } })
  if not understood then
    health.error('`wicket doctor` gives no answer', { 'run it: ' .. table.concat(doctor, ' ') })
    return
  end
  local providers = 0
  for _, finding in ipairs(said.findings) do
    local line = ('%s: %s'):format(finding.name, finding.detail)
    if finding.ok then
      health.ok(line)
    else
      health.warn(line, finding.fix and { finding.fix } or nil)
    end
    providers = providers + (finding.name == 'provider' and 1 or 0)
  end
  if providers == 0 then
    health.info('provider: none is set up, so nothing can leave this machine')
  end
end

local function check_server()
  local wicket = require('wicket')
  local command = wicket.effective_command()
  local problem = wicket.problem(command)
  if problem then
    health.error(problem.reason, { problem.fix })
    return
  end
  health.ok('server command: ' .. (type(command) == 'table' and table.concat(command, ' ') or 'a function'))

  check_installation(command)
  local clients = vim.lsp.get_clients({ name = 'wicket' })
  if #clients == 0 then
    health.warn('no server runs', {
      vim.g.wicket_enabled == false and ':WicketEnable starts it' or 'open a file that has a filetype',
    })
    return
  end
  for _, client in ipairs(clients) do
    local folder = client.root_dir or '(no folder)'
    health.ok(('server runs in %s, positions in %s'):format(folder, client.offset_encoding))
    if not client.server_capabilities.inlineCompletionProvider then
      health.error('this server does not complete inline', { 'is g:wicket.cmd really Wicket?' })
    end
  end

  local status = require('wicket.status').current()
  local sentence = require('wicket.status').sentence()
  if status.state == 'off' then
    health.warn(sentence, status.fix and { status.fix } or nil)
  else
    health.ok(sentence)
  end
end

local function check_keys()
  local options = require('wicket').options()
  for _, option in ipairs({ 'accept', 'accept_word', 'accept_line', 'dismiss', 'next', 'previous' }) do
    local key = options[option]
    if key then
      local mapping = vim.fn.maparg(key, 'i', false, true)
      local use = ('%s is %s while ghost text is shown'):format(key, option)
      if not next(mapping) then
        health.ok(use)
      else
        health.info(('%s; else it stays: %s'):format(use, mapping.desc or mapping.rhs or 'a Lua function'))
      end
    end
  end
  local trigger = options.trigger
  local plain = trigger and vim.fn.maparg(trigger, 'i', false, true) or {}
  if next(plain) and plain.buffer ~= 1 then
    health.warn(('%s (trigger) also has a mapping outside of Wicket'):format(trigger), {
      'name another key in g:wicket.trigger',
    })
  end
end

local function check_rivals()
  local native = vim.lsp.inline_completion
  if native and native.is_enabled() then
    health.warn('vim.lsp.inline_completion is on as well, so ghost text may be drawn twice', {
      'turn it off: vim.lsp.inline_completion.enable(false)',
    })
  end
end

function M.check()
  health.start('wicket')
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 1 then
    health.ok('Neovim ' .. version)
  else
    health.error('Neovim ' .. version .. ' is too old', { 'use 0.10 or newer' })
  end
  check_server()
  check_keys()
  check_rivals()
end

return M
