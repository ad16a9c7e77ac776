export { createScopedAccountReplyToModeResolver, createStaticReplyToModeResolver, createTopLevelChannelReplyToModeResolver } from './internal/channel-plugin.js';
export { readChannelAllowFromStore, recordInboundSession } from './internal/host.js';
export { buildPairingReply, issuePairingChallenge } from './internal/pairing.js';
export { resolvePinnedMainDmOwnerFromAllowlist } from './internal/session-keys.js';
