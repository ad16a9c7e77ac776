export { rawDataToString } from './internal/auth-rate-limit.js';
export { isLoopbackHost } from './internal/client-ip.js';
export { createConnectedChannelStatusPatch, createTransportActivityStatusPatch } from './internal/status.js';
export { safeParseJson } from './internal/plain-text.js';
export { DEFAULT_PLUGIN_NODE_CAPABILITY_TTL_MS, ErrorCodes, PLUGIN_NODE_CAPABILITY_PATH_PREFIX, addGatewayClientOptions, buildPluginNodeCapabilityScopedHostUrl, errorShape, isNodeCommandAllowed, mintPluginNodeCapabilityToken, normalizePluginNodeCapabilityScopedUrl, respondUnavailableOnNodeInvokeError } from './internal/gateway-shapes.js';
