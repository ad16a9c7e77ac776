export { resolveLegacyOutboundSendDepKeys, resolveOutboundSendDep } from './internal/send-result.js';
