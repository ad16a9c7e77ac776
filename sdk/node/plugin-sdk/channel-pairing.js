export { readChannelAllowFromStore, readChannelAllowFromStoreSync } from './internal/pairing-store.js';
export { createChannelPairingChallengeIssuer, createChannelPairingController, createLoggedPairingApprovalNotifier, createPairingPrefixStripper, createTextPairingAdapter } from './internal/pairing.js';
export { resolveChannelAllowFromPath } from './internal/pairing-files.js';
