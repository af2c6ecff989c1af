-- The command that asks a provider about the code; `docs/asking.md` says what it does.
vim.api.nvim_create_user_command('WicketAsk', function(said)
  local range = said.range > 0 and { said.line1, said.line2 } or nil
  require('wicket.ask').ask(said.args, range)
end, { nargs = '*', range = true })
