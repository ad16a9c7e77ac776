export { buildChannelKeyCandidates, resolveChannelEntryMatch, resolveChannelEntryMatchWithFallback } from './internal/targets.js';
