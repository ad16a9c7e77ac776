export { normalizeCommandBody, shouldComputeCommandAuthorized } from './internal/command-text.js';
export { hasControlCommand, resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
export { resolveControlCommandGate } from './internal/dm-group-access.js';
export { resolveNativeCommandSessionTargets } from './internal/inbound-facts.js';
export { buildCommandTextFromArgs, findCommandByNativeName, formatCommandArgMenuTitle, listChatCommands, listNativeCommandSpecs, parseCommandArgs, resolveCommandArgChoices, resolveCommandArgMenu, serializeCommandArgs } from './internal/native-commands.js';
export { listNativeCommandSpecsForConfig, listProviderPluginCommandSpecs, listSkillCommandsForAgents, maybeResolveTextAlias } from './internal/text-commands.js';
export { formatFastModeCommandOptions, formatFastModeCurrentStatus, formatFastModeSourceSuffix, formatFastModeStatusValue, resolveFastModeState } from './internal/fast-mode.js';
export { resolveStoredModelOverride } from './internal/model-override.js';
export { resolveCommandAuthorization } from './internal/command-authority.js';
