export { createAuthRateLimiter, rawDataToString } from './internal/auth-rate-limit.js';
export { resolveRequestClientIp } from './internal/client-ip.js';
export { DEFAULT_WEBHOOK_MAX_BODY_BYTES, isJsonContentType, isRequestBodyLimitError, readRequestBodyWithLimit, requestBodyErrorToText } from './internal/http-body.js';
export { applyBasicWebhookRequestGuards, beginWebhookRequestPipelineOrReject, createBoundedCounter, createWebhookAnomalyTracker, createWebhookInFlightLimiter, readJsonWebhookBodyOrReject, readWebhookBodyOrReject, WEBHOOK_ANOMALY_COUNTER_DEFAULTS, WEBHOOK_ANOMALY_STATUS_CODES, WEBHOOK_BODY_READ_DEFAULTS, WEBHOOK_IN_FLIGHT_DEFAULTS } from './internal/webhook-guards.js';
export { normalizePluginHttpPath, normalizeWebhookPath, registerWebhookTarget, resolveSingleWebhookTarget, resolveSingleWebhookTargetAsync, resolveWebhookPath, resolveWebhookTargets, resolveWebhookTargetWithAuthOrReject, resolveWebhookTargetWithAuthOrRejectSync, withResolvedWebhookRequestPipeline } from './internal/webhook-targets.js';
export { createFixedWindowRateLimiter, WEBHOOK_RATE_LIMIT_DEFAULTS } from './internal/webhook.js';
export { registerPluginHttpRoute, registerWebhookTargetWithPluginRoute } from './internal/http-routes.js';
