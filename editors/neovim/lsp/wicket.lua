-- The server for `vim.lsp.enable('wicket')`; Neovim 0.10 starts it from the same table.
---@type vim.lsp.Config
return {
  cmd = require('wicket').command(),

  root_dir = function(buffer, on_dir)
    local root = require('wicket').root(buffer)
    if root then
      on_dir(root)
    end
  end,

  reuse_client = function(client, config)
    return require('wicket').reuse(client, config)
  end,

  -- Neovim below 0.12 does not know inline completion; the ghost text here speaks it.
  capabilities = vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    -- Proposed edits are shown in the buffer, and the words for one are asked for here.
    experimental = { wicketEdits = true, wicketWords = true },
  }),

  init_options = require('wicket').options().settings,
  settings = { wicket = require('wicket').options().settings },

  handlers = {
    ['wicket/status'] = function(_, result)
      require('wicket.status').receive(result)
    end,
    ['wicket/proposeEdit'] = function(...)
      return require('wicket.edit').propose(...)
    end,
    ['window/showMessageRequest'] = function(...)
      return require('wicket.ask').choose(...)
    end,
    -- An accepted suggestion's import: `u` takes both back.
    ['workspace/applyEdit'] = function(problem, result, context, config)
      if result.label == 'Wicket: add import' then
        pcall(vim.cmd.undojoin)
      end
      return vim.lsp.handlers['workspace/applyEdit'](problem, result, context, config)
    end,
  },

  on_exit = function(code, signal, id)
    vim.schedule(function()
      require('wicket.status').stopped(code, signal, id)
    end)
  end,
}
