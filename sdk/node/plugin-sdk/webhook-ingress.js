export { WEBHOOK_RATE_LIMIT_DEFAULTS, createFixedWindowRateLimiter } from './internal/webhook.js';
