export { readChannelAllowFromStore } from './internal/host.js';
export { createChannelPairingChallengeIssuer, createChannelPairingController, createLoggedPairingApprovalNotifier, createPairingPrefixStripper, createTextPairingAdapter } from './internal/pairing.js';
