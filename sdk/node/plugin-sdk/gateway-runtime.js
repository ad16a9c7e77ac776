export { rawDataToString } from './internal/auth-rate-limit.js';
export { isLoopbackHost } from './internal/client-ip.js';
export { createConnectedChannelStatusPatch, createTransportActivityStatusPatch } from './internal/status.js';
export { safeParseJson } from './internal/plain-text.js';
