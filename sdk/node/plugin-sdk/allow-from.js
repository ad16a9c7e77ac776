export { addAllowlistUserEntriesFromConfigEntry, buildAllowlistResolutionSummary, canonicalizeAllowlistWithResolvedIds, compileAllowlist, firstDefined, formatAllowlistMatchMeta, formatNormalizedAllowFromEntries, isNormalizedSenderAllowed, isSenderIdAllowed, mapAllowlistResolutionInputs, mapBasicAllowlistResolutionEntries, mergeAllowlist, patchAllowlistUsersInConfigEntries, resolveAllowlistCandidates, resolveAllowlistMatchByCandidates, resolveAllowlistMatchSimple, resolveCompiledAllowlistMatch } from './internal/allowlists.js';
export { isAllowedParsedChatSender } from './internal/chat-targets.js';
export { mergeDmAllowFromSources, resolveGroupAllowFromSources } from './internal/dm-group-access.js';
export { formatAllowFromLowercase, summarizeMapping } from './internal/feedback.js';
