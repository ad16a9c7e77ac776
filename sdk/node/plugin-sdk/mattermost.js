export { formatPairingApproveHint } from './internal/channel-config.js';
export { resolveControlCommandGate } from './internal/dm-group-access.js';
export { createChannelHistoryWindow } from './internal/history.js';
