-- Loaded by every Neovim start, so it only says when to load the rest.
if vim.g.loaded_wicket then
  return
end
vim.g.loaded_wicket = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.api.nvim_echo({ { 'wicket needs Neovim 0.10 or newer', 'WarningMsg' } }, true, {})
  return
end

local group = vim.api.nvim_create_augroup('wicket', {})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'wicket' then
      require('wicket.ghost').attach(event.buf, client)
    end
  end,
})
vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    if package.loaded['wicket.ghost'] then
      require('wicket.ghost').detach(event.buf, event.data.client_id)
    end
  end,
})

for name, act in pairs({
  WicketEnable = function()
    require('wicket').enable()
  end,
  WicketDisable = function()
    require('wicket').disable()
  end,
  WicketStatus = function()
    require('wicket.status').print()
  end,
  WicketWhy = function()
    require('wicket.why').open()
  end,
}) do
  vim.api.nvim_create_user_command(name, act, { bar = true })
end

-- Accepting is an undo step of its own: <C-g>u closes the step before it and the one it makes.
for name, amount in pairs({
  ['accept'] = 'all',
  ['accept-word'] = 'word',
  ['accept-line'] = 'line',
}) do
  vim.keymap.set(
    'i',
    ('<Plug>(wicket-%s)'):format(name),
    ('<C-g>u<Cmd>lua require("wicket.ghost").accept("%s")<CR><C-g>u'):format(amount)
  )
end
vim.keymap.set('i', '<Plug>(wicket-dismiss)', '<Cmd>lua require("wicket.ghost").dismiss()<CR>')
for name, steps in pairs({ next = 1, previous = -1 }) do
  vim.keymap.set(
    'i',
    ('<Plug>(wicket-%s)'):format(name),
    ('<Cmd>lua require("wicket.ghost").cycle(%d)<CR>'):format(steps)
  )
end
vim.keymap.set('i', '<Plug>(wicket-trigger)', '<Cmd>lua require("wicket.ghost").trigger()<CR>')

vim.api.nvim_create_autocmd('FileType', {
  group = group,
  callback = function(event)
    require('wicket').start(event.buf)
  end,
})
-- Below 0.11 the buffers opened before a late load of this plugin are the only ones to start.
if vim.g.wicket_enabled ~= false and (vim.lsp.enable or vim.v.vim_did_enter == 1) then
  require('wicket').enable()
end
