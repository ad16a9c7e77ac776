export { ACCESS_GROUP_ALLOW_FROM_PREFIX, expandAllowFromWithAccessGroups, resolveAccessGroupAllowFromMatches, resolveAccessGroupAllowFromState } from './internal/allowlists.js';
export { hasInlineCommandTokens, isControlCommandMessage, isNativeCommandSurface, normalizeCommandBody, shouldComputeCommandAuthorized, shouldHandleTextCommands } from './internal/command-text.js';
export { hasControlCommand, resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
export { createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
export { resolveControlCommandGate, resolveDualTextControlCommandGate } from './internal/dm-group-access.js';
export { resolveNativeCommandSessionTargets } from './internal/inbound-facts.js';
export { parseAccessGroupAllowFromEntry } from './internal/ingress-lists.js';
export { buildCommandTextFromArgs, findCommandByNativeName, formatCommandArgMenuTitle, listChatCommands, listNativeCommandSpecs, parseCommandArgs, resolveCommandArgChoices, resolveCommandArgMenu, serializeCommandArgs } from './internal/native-commands.js';
export { resolveDirectDmAuthorizationOutcome, resolveInboundDirectDmAccessWithRuntime, resolveSenderCommandAuthorization, resolveSenderCommandAuthorizationWithRuntime } from './internal/sender-access.js';
