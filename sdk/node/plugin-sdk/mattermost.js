export { formatPairingApproveHint } from './internal/channel-config.js';
export { resolveControlCommandGate } from './internal/dm-group-access.js';
export { buildPendingHistoryContextFromMap, clearHistoryEntriesIfEnabled, createChannelHistoryWindow, recordPendingHistoryEntryIfEnabled } from './internal/history.js';
