export { formatPairingApproveHint } from './internal/channel-config.js';
export { createChannelHistoryWindow } from './internal/history.js';
