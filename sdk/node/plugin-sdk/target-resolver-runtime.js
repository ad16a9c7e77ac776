export { buildUnresolvedTargetResults, resolveTargetsWithOptionalToken } from './internal/chat-targets.js';
