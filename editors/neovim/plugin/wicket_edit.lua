-- The command that has a provider edit the selected lines; `docs/editing.md` says how.
vim.api.nvim_create_user_command('WicketEdit', function(said)
  local range = said.range > 0 and { said.line1, said.line2 } or nil
  require('wicket.edit').edit(said.args, range)
end, { nargs = '*', range = true })

-- The code action "Wicket: edit ..." is a command of the editor's own.
vim.lsp.commands['wicket.editSelection'] = function(command)
  local said = vim.tbl_extend('force', { kind = 'edit' }, command.arguments[1])
  require('wicket.edit').ask(said)
end
