export { filterChannelTurnSupplementalContext } from './internal/context-visibility.js';
export { createDirectDmPreCryptoGuardPolicy, createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
export { formatInboundEnvelope, formatInboundFromLabel, resolveEnvelopeFormatOptions } from './internal/envelope-format.js';
export { logInboundDrop } from './internal/feedback.js';
export { buildChannelInboundEventContext, buildChannelInboundMediaPayload } from './internal/inbound-context.js';
export { createChannelInboundDebouncer, createInboundDebouncer, resolveInboundDebounceMs, shouldDebounceTextInbound } from './internal/inbound-debounce.js';
export { formatLocationText, toLocationContext } from './internal/location.js';
export { mergeInboundPathRoots } from './internal/media/roots.js';
export { buildMentionRegexes, implicitMentionKindWhen, matchesMentionPatterns, matchesMentionWithExplicit, normalizeMentionText, resolveInboundMentionDecision, resolveMentionGating, resolveMentionGatingWithBypass, resolveMentionPatternPolicy } from './internal/mentions.js';
