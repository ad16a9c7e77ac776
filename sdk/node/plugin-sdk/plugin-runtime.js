export { CONVERSATION_HOOK_NAMES, defaultLoadOverrideModule, getPluginRuntimeGatewayRequestScope, isConversationHookName, isPluginHookName, isPromptInjectionHookName, PLUGIN_HOOK_NAMES, PLUGIN_PROMPT_MUTATION_RESULT_FIELDS, PluginApprovalResolutions, PROMPT_INJECTION_HOOK_NAMES, startLazyPluginServiceModule, stripPromptMutationFieldsFromLegacyHookResult } from './internal/hook-names.js';
export { normalizePluginHttpPath } from './internal/webhook-targets.js';
export { createInteractiveConversationBindingHelpers, dispatchPluginInteractiveHandler, resolvePluginConversationBindingApproval } from './internal/plugin-bindings.js';
export { buildPluginBindingApprovalCustomId, buildPluginBindingResolvedText, parsePluginBindingApprovalCustomId } from './internal/session-bindings.js';
export { getPluginCommandSpecs, listProviderPluginCommandSpecs } from './internal/text-commands.js';
export { executePluginCommand, getGlobalHookRunner, getGlobalPluginRegistry, hasGlobalHooks, listPluginCommands, matchPluginCommand, validateCommandName } from './internal/own-commands.js';
export { registerPluginHttpRoute } from './internal/http-routes.js';
