export { CURRENT_MESSAGE_MARKER } from './internal/history.js';
export { buildMentionRegexes, implicitMentionKindWhen, normalizeMentionText, resolveInboundMentionDecision, resolveMentionGating, resolveMentionGatingWithBypass, resolveMentionPatternPolicy } from './internal/mentions.js';
