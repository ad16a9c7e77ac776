export { createScopedAccountReplyToModeResolver, createStaticReplyToModeResolver, createTopLevelChannelReplyToModeResolver } from './internal/channel-plugin.js';
export { readChannelAllowFromStore, recordInboundSession } from './internal/host.js';
export { resolveConversationLabel } from './internal/inbound-finalize.js';
export { buildPairingReply, issuePairingChallenge } from './internal/pairing.js';
export { resolvePinnedMainDmOwnerFromAllowlist } from './internal/session-keys.js';
export { formatThreadBindingDisabledError, formatThreadBindingDurationLabel, formatThreadBindingSpawnDisabledError, resolveThreadBindingConversationIdFromBindingId, resolveThreadBindingEffectiveExpiresAt, resolveThreadBindingFarewellText, resolveThreadBindingIdleTimeoutMs, resolveThreadBindingIdleTimeoutMsForChannel, resolveThreadBindingIntroText, resolveThreadBindingLifecycle, resolveThreadBindingMaxAgeMs, resolveThreadBindingMaxAgeMsForChannel, resolveThreadBindingSpawnPolicy, resolveThreadBindingThreadName, resolveThreadBindingsEnabled } from './internal/thread-binding-policy.js';
